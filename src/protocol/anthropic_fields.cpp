#include "protocol/anthropic_fields.h"

#include <optional>

namespace minimill::protocol::anthropic {
namespace {

namespace json = boost::json;

std::optional<std::int64_t> count(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  json::error_code ec;
  const auto number = value->to_number<std::int64_t>(ec);
  if (ec || number < 0) return std::nullopt;
  return number;
}

}  // namespace

chat::FinishReason finish_reason(std::string_view stop_reason) {
  if (stop_reason == "max_tokens") return chat::FinishReason::kLength;
  if (stop_reason == "tool_use") return chat::FinishReason::kToolCalls;
  if (stop_reason == "refusal") return chat::FinishReason::kContentFilter;
  return chat::FinishReason::kStop;
}

std::string_view stop_reason(chat::FinishReason finish) {
  switch (finish) {
    case chat::FinishReason::kStop: return "end_turn";
    case chat::FinishReason::kLength: return "max_tokens";
    case chat::FinishReason::kToolCalls: return "tool_use";
    case chat::FinishReason::kContentFilter: return "refusal";
  }
  return "end_turn";
}

void add_usage(const json::object& usage, chat::Usage& known) {
  if (const auto input = count(usage, "input_tokens")) {
    const std::int64_t cached = count(usage, "cache_read_input_tokens").value_or(0);
    const std::int64_t written = count(usage, "cache_creation_input_tokens").value_or(0);
    // message_delta repeats the prompt's counts on newer API versions, as totals.
    known.prompt_tokens = *input + cached + written;
    known.cached_prompt_tokens = cached;
  }
  if (const auto output = count(usage, "output_tokens")) known.completion_tokens = *output;
}

json::object usage_json(const chat::Usage& usage) {
  return {{"input_tokens", usage.prompt_tokens - usage.cached_prompt_tokens},
          {"cache_read_input_tokens", usage.cached_prompt_tokens},
          {"output_tokens", usage.completion_tokens}};
}

std::string text_in(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string{};
}

const json::object* object_in(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_object();
}

}  // namespace minimill::protocol::anthropic
