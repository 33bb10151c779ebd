#include "protocol/anthropic_fields.h"

#include <algorithm>

#include "base/json.h"
#include "protocol/answer_fields.h"

namespace minimill::protocol::anthropic {

namespace json = boost::json;

chat::FinishReason finish_reason(std::string_view stop_reason) {
  if (stop_reason == "max_tokens" || stop_reason == "model_context_window_exceeded") {
    return chat::FinishReason::kLength;
  }
  if (stop_reason == "tool_use") return chat::FinishReason::kToolCalls;
  if (stop_reason == "refusal") return chat::FinishReason::kContentFilter;
  return chat::FinishReason::kStop;
}

std::string_view stop_reason(chat::FinishReason finish) {
  switch (finish) {
    case chat::FinishReason::kStop:
      return "end_turn";
    case chat::FinishReason::kLength:
      return "max_tokens";
    case chat::FinishReason::kToolCalls:
      return "tool_use";
    case chat::FinishReason::kContentFilter:
      return "refusal";
  }
  return "end_turn";
}

void add_usage(const json::object& usage, chat::Usage& known) {
  if (const auto input = tokens_in(usage, "input_tokens")) {
    const std::int64_t cached = tokens_in(usage, "cache_read_input_tokens").value_or(0);
    const std::int64_t written = tokens_in(usage, "cache_creation_input_tokens").value_or(0);
    // message_delta repeats the prompt's counts on newer API versions, as totals.
    known.prompt_tokens = *input + cached + written;
    known.cached_prompt_tokens = cached;
  }
  if (const auto output = tokens_in(usage, "output_tokens")) known.completion_tokens = *output;
}

json::object usage_json(const chat::Usage& usage) {
  return {
      {"input_tokens", std::max<std::int64_t>(0, usage.prompt_tokens - usage.cached_prompt_tokens)},
      {"cache_read_input_tokens", usage.cached_prompt_tokens},
      {"output_tokens", usage.completion_tokens}};
}

json::object input_json(const std::string& arguments) {
  if (arguments.empty()) return {};
  Result<json::object> input = parse_json_object(arguments);
  if (!input) return {{"arguments", arguments}};
  return std::move(*input);
}

}  // namespace minimill::protocol::anthropic
