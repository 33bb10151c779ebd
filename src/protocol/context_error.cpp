#include "protocol/context_error.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <string>

#include "base/json.h"
#include "protocol/answer_fields.h"
#include "protocol/upstream_text.h"

namespace minimill::protocol {
namespace {

constexpr std::string_view kHint = "shorten it, or give the model a larger context";

bool says_so(const json::object& error, std::string_view message) {
  static const RE2 kWords("(?i)prompt is too long|maximum context length|exceed.{0,40}context");
  return text_in(error, "code") == "context_length_exceeded" ||
         text_in(error, "type") == "exceed_context_size_error" ||
         RE2::PartialMatch(message, kWords);
}

std::optional<Error> with_numbers(const json::object& error, std::string_view message) {
  static const RE2 kAnthropics(R"(prompt is too long: (\d{1,12}) tokens > (\d{1,12}))");
  static const RE2 kOpenAis(
      R"(maximum context length is (\d{1,12}) tokens.{0,80}?(?:resulted in|requested) (\d{1,12}) tokens)");
  std::int64_t prompt = tokens_in(error, "n_prompt_tokens").value_or(0);
  std::int64_t context = tokens_in(error, "n_ctx").value_or(0);
  const bool told = (prompt > 0 && context > 0) ||
                    RE2::PartialMatch(message, kAnthropics, &prompt, &context) ||
                    RE2::PartialMatch(message, kOpenAis, &context, &prompt);
  if (!told) return std::nullopt;
  return context_error(prompt, context);
}

}  // namespace

Error context_error(std::int64_t prompt_tokens, std::int64_t context_tokens) {
  return Error{.code = ErrorCode::kContextExceeded,
               .message = fmt::format("prompt is too long: {} tokens > {} maximum", prompt_tokens,
                                      context_tokens),
               .hint = std::string(kHint),
               .field = "messages",
               .retry_after = {}};
}

std::optional<Error> context_error_in(std::string_view body) {
  const Result<json::object> object = parse_json_object(body);
  const json::object* error = object ? object_in(*object, "error") : nullptr;
  if (error == nullptr) return std::nullopt;
  const std::string message = error_message(*object);
  if (!says_so(*error, message)) return std::nullopt;
  if (std::optional<Error> told = with_numbers(*error, message)) return told;
  return Error{.code = ErrorCode::kContextExceeded,
               .message = "prompt is too long: " + message,
               .hint = std::string(kHint),
               .field = "messages",
               .retry_after = {}};
}

}  // namespace minimill::protocol
