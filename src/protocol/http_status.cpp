#include "protocol/http_status.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/json.h"

namespace minimill::protocol {
namespace {

constexpr std::size_t kMaxShown = 200;
constexpr double kMaxRetryAfter_s = 86'400;

ErrorCode code_of(int status) {
  switch (status) {
    case 401:
    case 403: return ErrorCode::kUnauthorized;
    case 404: return ErrorCode::kNotFound;
    case 408:
    case 504: return ErrorCode::kTimeout;
    case 413: return ErrorCode::kTooLarge;
    case 429: return ErrorCode::kRateLimited;
    case 503:
    case 529: return ErrorCode::kUnavailable;
    default: return status >= 400 && status < 500 ? ErrorCode::kInvalidArgument : ErrorCode::kUpstream;
  }
}

/// OpenAI's and Anthropic's error bodies both have error.message.
std::string message_in(std::string_view body) {
  if (const Result<json::object> parsed = parse_json_object(body)) {
    const json::value* error = parsed->if_contains("error");
    if (error != nullptr && error->is_string()) return std::string(error->get_string());
    if (error != nullptr && error->is_object()) {
      if (const json::value* message = error->get_object().if_contains("message");
          message != nullptr && message->is_string()) {
        return std::string(message->get_string());
      }
    }
  }
  return std::string(body);
}

/// One printable line, without what looks like a key: providers echo the key they refuse.
std::string shown(std::string text) {
  static const RE2 kKeys(R"((?i)\b(sk-|key-|bearer\s+)[\w*.\-]{4,})");
  RE2::GlobalReplace(&text, kKeys, "[key]");
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, ' ');
  if (text.size() > kMaxShown) text.resize(kMaxShown);
  return text;
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

int http_status(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalidArgument: return 400;
    case ErrorCode::kUnauthorized: return 401;
    case ErrorCode::kForbidden: return 403;
    case ErrorCode::kNotFound: return 404;
    case ErrorCode::kConflict: return 409;
    case ErrorCode::kTooLarge: return 413;
    case ErrorCode::kRateLimited: return 429;
    case ErrorCode::kCancelled: return 499;
    case ErrorCode::kUnsupported: return 501;
    case ErrorCode::kUpstream: return 502;
    case ErrorCode::kUnavailable: return 503;
    case ErrorCode::kTimeout: return 504;
    case ErrorCode::kCorrupt:
    case ErrorCode::kIo:
    case ErrorCode::kInternal: return 500;
  }
  return 500;
}

Error upstream_error(std::string_view who, int status, std::string_view body,
                     std::string_view retry_after, std::int64_t now_unix_s) {
  Error error;
  error.code = code_of(status);
  error.message = fmt::format("{} answered {}: {}", who, status, shown(message_in(body)));
  if (error.code == ErrorCode::kUnauthorized) error.hint = "check the key of this provider";
  if (error.code == ErrorCode::kRateLimited || error.code == ErrorCode::kUnavailable) {
    error.retry_after = parse_retry_after(std::string(retry_after), now_unix_s);
  }
  return error;
}

}  // namespace minimill::protocol
