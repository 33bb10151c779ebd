#include "protocol/ollama_answer_fields.h"

#include <utility>

#include "base/rfc3339.h"
#include "protocol/anthropic_fields.h"

namespace minimill::protocol::ollama {
namespace {

namespace json = boost::json;

json::array calls_json(const std::vector<chat::ToolCall>& calls) {
  json::array written;
  for (const chat::ToolCall& call : calls) {
    if (call == chat::ToolCall{}) continue;  // a number that the model left out
    // Arguments are an object here as they are for Anthropic.
    json::object function{{"index", written.size()},
                          {"name", call.name},
                          {"arguments", anthropic::input_json(call.arguments)}};
    json::object one;
    if (!call.id.empty()) one["id"] = call.id;
    one["function"] = std::move(function);
    written.push_back(std::move(one));
  }
  return written;
}

/// Ollama's clients take any word; these are the ones that it says itself, and one more where the
/// truth is neither.
std::string_view done_reason(chat::FinishReason finish) {
  switch (finish) {
    case chat::FinishReason::kLength:
      return "length";
    case chat::FinishReason::kContentFilter:
      return "content_filter";
    case chat::FinishReason::kStop:
    case chat::FinishReason::kToolCalls:
      return "stop";
  }
  return "stop";
}

}  // namespace

json::object answer_json(Shape shape, std::string_view model, WallTime created_at,
                         const chat::AnswerParts& answer) {
  json::object written{{"model", model}, {"created_at", rfc3339(created_at)}};
  json::object message;
  json::object& said = shape == Shape::kChat ? message : written;
  if (shape == Shape::kChat) message["role"] = "assistant";
  said[shape == Shape::kChat ? "content" : "response"] = answer.text;
  if (!answer.reasoning.empty()) said["thinking"] = answer.reasoning;
  if (!answer.tool_calls.empty()) said["tool_calls"] = calls_json(answer.tool_calls);
  if (shape == Shape::kChat) written["message"] = std::move(message);
  return written;
}

void add_ending(chat::FinishReason finish, const chat::Usage& usage, const Durations& durations,
                json::object& answer) {
  answer["done"] = true;
  answer["done_reason"] = done_reason(finish);
  answer["total_duration"] = durations.total.count();
  answer["load_duration"] = durations.load.count();
  answer["prompt_eval_count"] = usage.prompt_tokens;
  answer["prompt_eval_duration"] = durations.prompt_eval.count();
  answer["eval_count"] = usage.completion_tokens;
  answer["eval_duration"] = durations.eval.count();
}

json::array logprobs_json(const std::vector<chat::TokenLogprob>& logprobs) {
  json::array written;
  for (const chat::TokenLogprob& token : logprobs) {
    json::object one{{"token", token.token}, {"logprob", token.logprob}};
    if (!token.top.empty()) one["top_logprobs"] = logprobs_json(token.top);
    written.push_back(std::move(one));
  }
  return written;
}

}  // namespace minimill::protocol::ollama
