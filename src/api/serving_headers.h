#pragma once

// What minimill says about an answer, and is told about a request, in headers beside the protocol:
// docs/headers.md.

#include <string>

#include "http/message.h"
#include "serve/gateway.h"

namespace minimill::api {

/// x-minimill-privacy, -max-cost, -deadline-ms and -trace into `ask`. kInvalidArgument names the
/// header.
Result<> read_ask_headers(const http::Headers& headers, serve::Ask& ask);

/// Who answers and why: x-minimill-request-id, -lane, -model, -reason, -probability, -queued-ms
/// and, where there is something to say, -emulated and -left-out.
http::Headers serving_headers(const serve::Serving& serving, std::string_view content_type);

/// Retry-After in whole seconds, rounded up, where the error says when to come again.
void add_retry_after(const Error& error, http::Headers& headers);

}  // namespace minimill::api
