#include "base/error.h"

#include <utility>

namespace minimill {

std::string_view name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
      return "invalid_argument";
    case ErrorCode::kUnauthorized:
      return "unauthorized";
    case ErrorCode::kForbidden:
      return "forbidden";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kConflict:
      return "conflict";
    case ErrorCode::kTooLarge:
      return "too_large";
    case ErrorCode::kContextExceeded:
      return "context_length_exceeded";  // OpenAI's name, which its clients look for
    case ErrorCode::kRateLimited:
      return "rate_limited";
    case ErrorCode::kUnavailable:
      return "unavailable";
    case ErrorCode::kTimeout:
      return "timeout";
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kUpstream:
      return "upstream";
    case ErrorCode::kCorrupt:
      return "corrupt";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kUnsupported:
      return "unsupported";
    case ErrorCode::kInternal:
      return "internal";
  }
  return "internal";
}

Error Error::context(std::string_view doing) && {
  message.insert(0, ": ").insert(0, doing);
  return std::move(*this);
}

Error Error::with_field(std::string path) && {
  field = std::move(path);
  return std::move(*this);
}

std::string Error::to_string() const {
  return hint.empty() ? message : message + " (" + hint + ")";
}

std::unexpected<Error> fail(ErrorCode code, std::string message, std::string hint) {
  return std::unexpected(Error{.code = code,
                               .native_code = 0,
                               .message = std::move(message),
                               .hint = std::move(hint),
                               .field = {},
                               .retry_after = {}});
}

std::unexpected<Error> fail_field(std::string field, std::string message, std::string hint) {
  return std::unexpected(Error{.code = ErrorCode::kInvalidArgument,
                               .native_code = 0,
                               .message = std::move(message),
                               .hint = std::move(hint),
                               .field = std::move(field),
                               .retry_after = {}});
}

}  // namespace minimill
