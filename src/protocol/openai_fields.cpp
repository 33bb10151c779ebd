#include "protocol/openai_fields.h"

namespace minimill::protocol::openai {
namespace {

namespace json = boost::json;

std::int64_t count(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) return 0;
  json::error_code ec;
  const auto number = value->to_number<std::int64_t>(ec);
  return ec || number < 0 ? 0 : number;
}

}  // namespace

chat::FinishReason finish_reason(std::string_view text) {
  if (text == "length") return chat::FinishReason::kLength;
  if (text == "tool_calls" || text == "function_call") return chat::FinishReason::kToolCalls;
  if (text == "content_filter") return chat::FinishReason::kContentFilter;
  return chat::FinishReason::kStop;
}

std::string_view finish_name(chat::FinishReason reason) {
  switch (reason) {
    case chat::FinishReason::kStop: return "stop";
    case chat::FinishReason::kLength: return "length";
    case chat::FinishReason::kToolCalls: return "tool_calls";
    case chat::FinishReason::kContentFilter: return "content_filter";
  }
  return "stop";
}

chat::Usage usage_of(const json::object& usage) {
  chat::Usage counted{.prompt_tokens = count(usage, "prompt_tokens"),
                      .completion_tokens = count(usage, "completion_tokens"),
                      .cached_prompt_tokens = 0};
  if (const json::value* details = usage.if_contains("prompt_tokens_details");
      details != nullptr && details->is_object()) {
    counted.cached_prompt_tokens = count(details->get_object(), "cached_tokens");
  }
  return counted;
}

json::object usage_json(const chat::Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_prompt_tokens}}}};
}

}  // namespace minimill::protocol::openai
