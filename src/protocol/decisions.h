#pragma once

// OpenAI's Decisions wire format, server side: typed questions about one input, answered with
// probabilities. https://developers.openai.com/api/reference/resources/decisions
//
//   Result<DecisionRequest> asked = parse_decision_request(body);
//   for (const Question& question : asked->questions) chat::ChatRequest chat = ask(*asked,
//   question); … an Answer for each … std::string body = write_decision(*asked, answers, model,
//   usage);
//
// Pure functions over text; every byte in is hostile: bounded, validated, errors name the field.

#include <boost/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"

namespace minimill::protocol::decisions {

inline constexpr std::size_t kMaxQuestions = 400;
inline constexpr std::size_t kMaxChoices = 255;
inline constexpr std::size_t kMaxOptionBytes = 2'000;

enum class Kind { kPredicate, kChoice, kScore };

struct Option {
  boost::json::value value;  // text, or true or false
  std::string label;         // how it is asked for; unique
  std::string description;
};

struct Question {
  Kind kind = Kind::kPredicate;
  std::optional<std::string> name;
  std::string instructions;
  std::vector<chat::Image> images;
  std::vector<Option> options;  // of a predicate: true, false; of a score: from low to high
};

struct DecisionRequest {
  std::string model;
  std::string input;
  std::vector<chat::Image> images;
  std::vector<Question> questions;
};

/// kInvalidArgument names the field: "questions[2].choices[1].value".
Result<DecisionRequest> parse_decision_request(std::string_view body);

std::vector<std::string> labels_of(const Question& question);
/// The question as a chat (chat/closed_question.h).
chat::ChatRequest ask(const DecisionRequest& request, const Question& question);

struct Answer {
  std::vector<double> p;  // one an option, in their order; empty: refused
};
/// What a chat's answer says of the question. kUpstream where it names none of its options.
Result<Answer> read_answer(const Question& question, const chat::ChatAnswer& answer);

/// `answers`: one a question, in their order.
std::string write_decision(const DecisionRequest& request, std::span<const Answer> answers,
                           std::string_view model, const chat::Usage& usage);

}  // namespace minimill::protocol::decisions
