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
    const json::object* kept = object_in(usage, "cache_creation");
    // Told once, at the beginning of a stream; the end may repeat the sum alone.
    const std::int64_t known_1h = known.cache_write_1h_tokens;
    const std::int64_t for_1h =
        kept == nullptr ? known_1h : tokens_in(*kept, "ephemeral_1h_input_tokens").value_or(0);
    known.cache_write_1h_tokens = std::min(for_1h, written);
    known.cache_write_5m_tokens = std::max<std::int64_t>(0, written - known.cache_write_1h_tokens);
  }
  if (const auto output = tokens_in(usage, "output_tokens")) known.completion_tokens = *output;
}

json::object usage_json(const chat::Usage& usage) {
  const std::int64_t written = usage.cache_write_5m_tokens + usage.cache_write_1h_tokens;
  const std::int64_t others = usage.prompt_tokens - usage.cached_prompt_tokens - written;
  json::object told{{"input_tokens", std::max<std::int64_t>(0, others)},
                    {"cache_read_input_tokens", usage.cached_prompt_tokens},
                    {"output_tokens", usage.completion_tokens}};
  if (written > 0) {
    told["cache_creation_input_tokens"] = written;
    told["cache_creation"] = {{"ephemeral_5m_input_tokens", usage.cache_write_5m_tokens},
                              {"ephemeral_1h_input_tokens", usage.cache_write_1h_tokens}};
  }
  return told;
}

json::object input_json(const std::string& arguments) {
  if (arguments.empty()) return {};
  Result<json::object> input = parse_json_object(arguments);
  if (!input) return {{"arguments", arguments}};
  return std::move(*input);
}

}  // namespace minimill::protocol::anthropic
