#include "cloud/attempt_end.h"

#include "chat/token_estimate.h"

namespace minimill::cloud {

Ending ending_of(const Error& error, const Told& told, bool past_deadline) {
  constexpr int kOverloaded = 529;  // Anthropic's: come back later, nothing is broken
  if (told.quota_spent) return Ending::kRefused;
  if (told.status == kOverloaded) return Ending::kRateLimited;
  switch (error.code) {
    case ErrorCode::kUnauthorized:
    case ErrorCode::kNotFound:
      return Ending::kRefused;
    case ErrorCode::kRateLimited:
      return Ending::kRateLimited;
    case ErrorCode::kTimeout:
      return past_deadline ? Ending::kNotItsFault : Ending::kFailed;
    case ErrorCode::kUnavailable:
    case ErrorCode::kUpstream:
    case ErrorCode::kCorrupt:
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      return Ending::kFailed;
    default:
      return Ending::kNotItsFault;
  }
}

chat::Usage told_or_estimated(const chat::ChatAnswer& answer, std::int64_t prompt_tokens) {
  const chat::Usage& told = answer.usage();
  if (told.prompt_tokens > 0 || told.completion_tokens > 0) return told;
  std::size_t bytes = answer.text().size() + answer.reasoning().size();
  for (const chat::ToolCall& call : answer.tool_calls()) {
    bytes += call.name.size() + call.arguments.size();
  }
  return {.prompt_tokens = prompt_tokens,
          .completion_tokens = chat::estimated_tokens(bytes),
          .cached_prompt_tokens = 0,
          .estimated = true};
}

}  // namespace minimill::cloud
