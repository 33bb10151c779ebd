#include "protocol/http_status.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <ctime>
#include <optional>

#include "base/json.h"
#include "protocol/context_error.h"
#include "protocol/upstream_text.h"

namespace minimill::protocol {
namespace {

constexpr double kMaxRetryAfter_s = 86'400;

ErrorCode code_of(int status) {
  switch (status) {
    case 401:
    case 403:
      return ErrorCode::kUnauthorized;
    case 404:
      return ErrorCode::kNotFound;
    case 408:
    case 504:
      return ErrorCode::kTimeout;
    case 413:
      return ErrorCode::kTooLarge;
    case 429:
      return ErrorCode::kRateLimited;
    case 503:
    case 529:
      return ErrorCode::kUnavailable;
    default:
      return status >= 400 && status < 500 ? ErrorCode::kInvalidArgument : ErrorCode::kUpstream;
  }
}

std::string said_in(std::string_view body) {
  if (const Result<json::object> parsed = parse_json_object(body)) {
    if (std::string said = error_message(*parsed); !said.empty()) return said;
  }
  return one_line(body);
}

std::optional<std::chrono::milliseconds> parse_retry_after(const std::string& text,
                                                           std::int64_t now_unix_s) {
  if (text.empty()) return std::nullopt;
  double seconds = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (ec != std::errc{} || end != text.data() + text.size()) {
    const std::time_t at = curl_getdate(text.c_str(), nullptr);
    if (at < 0) return std::nullopt;
    seconds = static_cast<double>(at - now_unix_s);
  }
  if (!std::isfinite(seconds)) return std::nullopt;
  seconds = std::clamp(seconds, 0.0, kMaxRetryAfter_s);
  return std::chrono::milliseconds{static_cast<std::int64_t>(std::ceil(seconds * 1000))};
}

}  // namespace

int http_status(const Error& error) {
  const bool field = error.code == ErrorCode::kUnsupported && !error.field.empty();
  return http_status(field ? ErrorCode::kInvalidArgument : error.code);
}

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kContextExceeded:
      return 400;
    case ErrorCode::kUnauthorized:
      return 401;
    case ErrorCode::kForbidden:
      return 403;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kConflict:
      return 409;
    case ErrorCode::kTooLarge:
      return 413;
    case ErrorCode::kRateLimited:
      return 429;
    case ErrorCode::kCancelled:
      return 499;
    case ErrorCode::kUnsupported:
      return 501;
    case ErrorCode::kUpstream:
      return 502;
    case ErrorCode::kUnavailable:
      return 503;
    case ErrorCode::kTimeout:
      return 504;
    case ErrorCode::kCorrupt:
    case ErrorCode::kIo:
    case ErrorCode::kInternal:
      return 500;
  }
  return 500;
}

Error upstream_error(std::string_view who, int status, std::string_view body,
                     std::string_view retry_after, std::int64_t now_unix_s) {
  constexpr int kBadRequest = 400;
  constexpr int kContentTooLarge = 413;
  if (status == kBadRequest || status == kContentTooLarge) {
    if (std::optional<Error> too_long = context_error_in(body)) return std::move(*too_long);
  }
  Error error;
  error.code = code_of(status);
  const std::string said = said_in(body);
  error.message = said.empty() ? fmt::format("{} answered {}", who, status)
                               : fmt::format("{} answered {}: {}", who, status, said);
  if (error.code == ErrorCode::kUnauthorized) error.hint = "check the key of this provider";
  if (error.code == ErrorCode::kRateLimited || error.code == ErrorCode::kUnavailable) {
    error.retry_after = parse_retry_after(std::string(retry_after), now_unix_s);
  }
  return error;
}

}  // namespace minimill::protocol
