#include <algorithm>
#include <utility>

#include "base/json.h"
#include "chat/closed_question.h"
#include "protocol/decisions.h"

namespace minimill::protocol::decisions {
namespace {

json::object answer_json(const Question& question, const Answer& answer) {
  json::object shown;
  shown["name"] = question.name ? json::value(*question.name) : json::value(nullptr);
  if (answer.p.size() != question.options.size()) {
    shown["type"] = "refusal";
    return shown;
  }
  if (question.kind == Kind::kPredicate) {
    shown["type"] = "predicate";
    shown["probability"] = answer.p.front();
    return shown;
  }
  const auto best = static_cast<std::size_t>(std::ranges::max_element(answer.p) - answer.p.begin());
  const bool is_choice = question.kind == Kind::kChoice;
  json::array probabilities;
  double score = 0;
  for (std::size_t i = 0; i < question.options.size(); ++i) {
    json::object each{{"probability", answer.p[i]}};
    if (is_choice) {
      each["value"] = question.options[i].value;
    } else {
      each["label"] = question.options[i].value;
      each["value"] = i;
    }
    score += answer.p[i] * static_cast<double>(i);
    probabilities.push_back(std::move(each));
  }
  shown["type"] = is_choice ? "choice" : "score";
  if (is_choice) {
    shown["choice"] = question.options[best].value;
  } else {
    shown["score"] = score;
  }
  shown["confidence"] = answer.p[best];
  shown["probabilities"] = std::move(probabilities);
  return shown;
}

}  // namespace

Result<Answer> read_answer(const Question& question, const chat::ChatAnswer& answer) {
  if (answer.finish() == chat::FinishReason::kContentFilter) return Answer{};
  std::vector<double> p = chat::option_probabilities(answer, labels_of(question));
  if (!p.empty()) return Answer{.p = std::move(p)};
  return fail(ErrorCode::kUpstream, "the answer is none of those that the question allows",
              "ask again, or another model");
}

std::string write_decision(const DecisionRequest& request, std::span<const Answer> answers,
                           std::string_view model, const chat::Usage& usage) {
  json::array shown;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    shown.push_back(answer_json(request.questions[i], answers[i]));
  }
  const json::object body{
      {"answers", std::move(shown)},
      {"model", model},
      {"usage",
       {{"input_tokens", usage.prompt_tokens},
        {"input_tokens_details",
         {{"cached_tokens", usage.cached_prompt_tokens}, {"cache_write_tokens", 0}}},
        {"output_tokens", usage.completion_tokens},
        {"output_tokens_details", {{"reasoning_tokens", 0}}},
        {"total_tokens", usage.prompt_tokens + usage.completion_tokens}}}};
  return json::serialize(body);
}

}  // namespace minimill::protocol::decisions
