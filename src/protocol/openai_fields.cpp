#include "protocol/openai_fields.h"

#include <algorithm>

#include "protocol/answer_fields.h"

namespace minimill::protocol::openai {
namespace json = boost::json;

chat::FinishReason finish_reason(std::string_view text, bool with_calls) {
  if (with_calls && text == "stop") return chat::FinishReason::kToolCalls;
  if (text == "length") return chat::FinishReason::kLength;
  if (text == "tool_calls" || text == "function_call") return chat::FinishReason::kToolCalls;
  if (text == "content_filter") return chat::FinishReason::kContentFilter;
  return chat::FinishReason::kStop;
}

std::string_view finish_name(chat::FinishReason reason) {
  switch (reason) {
    case chat::FinishReason::kStop:
      return "stop";
    case chat::FinishReason::kLength:
      return "length";
    case chat::FinishReason::kToolCalls:
      return "tool_calls";
    case chat::FinishReason::kContentFilter:
      return "content_filter";
  }
  return "stop";
}

chat::Usage usage_of(const json::object& usage) {
  chat::Usage counted{.prompt_tokens = tokens_in(usage, "prompt_tokens").value_or(0),
                      .completion_tokens = tokens_in(usage, "completion_tokens").value_or(0),
                      .cached_prompt_tokens = 0};
  if (const json::object* details = object_in(usage, "prompt_tokens_details")) {
    // More from the cache than there were would make what is paid for negative.
    counted.cached_prompt_tokens =
        std::min(tokens_in(*details, "cached_tokens").value_or(0), counted.prompt_tokens);
  }
  return counted;
}

json::object usage_json(const chat::Usage& usage) {
  return {{"prompt_tokens", usage.prompt_tokens},
          {"completion_tokens", usage.completion_tokens},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens},
          {"prompt_tokens_details", {{"cached_tokens", usage.cached_prompt_tokens}}}};
}

std::string_view reasoning_in(const json::object& message) {
  const std::string_view reasoning = text_in(message, "reasoning_content");
  return reasoning.empty() ? text_in(message, "reasoning") : reasoning;
}

}  // namespace minimill::protocol::openai
