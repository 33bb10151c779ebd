#pragma once

// A question whose answer is one of a closed set, as a chat like any other: its text says "exactly
// one of: …", a JSON Schema holds every backend to {"answer": "…"}, and log-probabilities are
// wanted. So it is admitted, priced, learnt and escalated like any other; whoever can weigh the
// options against each other (a micro-model, a scoring engine) tells how likely each is, as the
// alternatives of one token.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "chat/chat_event.h"
#include "chat/chat_request.h"

namespace minimill::chat {

/// `text` ends with the list of the options, which are unique and not empty.
ChatRequest closed_question(std::string model, std::string text, std::vector<Image> images,
                            std::span<const std::string> options);

/// The options, where the request is such a question.
std::optional<std::vector<std::string>> options_of(const ChatRequest& request);

/// {"answer": "…"}
std::string closed_answer(std::string_view option);
/// Which option such an answer names; nullopt: none.
std::optional<std::size_t> option_in(std::string_view answer, std::span<const std::string> options);

/// The likeliest option as the answer; `p` has one probability an option, and sums to one.
AnswerParts weighed_answer(std::span<const std::string> options, std::span<const double> p);

/// How likely each option is, summing to one. Of a backend that weighed them: as it says. Of one
/// that told its tokens' probabilities: theirs for its answer, the others share the rest. One that
/// tells none is taken at its word. Empty where the answer names no option.
std::vector<double> option_probabilities(const ChatAnswer& answer,
                                         std::span<const std::string> options);

}  // namespace minimill::chat
