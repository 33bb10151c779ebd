#pragma once

// The one place where an ErrorCode becomes an HTTP status, and a status from upstream an ErrorCode.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill::protocol {

int http_status(ErrorCode code);
/// As its code says; but a field that a backend does not know is the request's fault: 400, not 501,
/// which clients would try again.
int http_status(const Error& error);

/// What a non-2xx answer of a backend means for us: 401/403 → kUnauthorized, 404 → kNotFound,
/// 408/504 → kTimeout, 413 → kTooLarge, 429 → kRateLimited, 503/529 → kUnavailable (both with
/// Retry-After, seconds or HTTP date and at most a day, in retry_after), other 4xx →
/// kInvalidArgument, other 5xx and the rest → kUpstream. The message is the error body's own
/// (OpenAI's or Anthropic's shape, else the body's beginning; one line of at most 200 bytes, keys
/// blotted out), after "`who` answered N: ". `retry_after` is the header's value; `now_unix_s`
/// serves its date form.
Error upstream_error(std::string_view who, int status, std::string_view body,
                     std::string_view retry_after, std::int64_t now_unix_s);

}  // namespace minimill::protocol
