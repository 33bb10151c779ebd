#pragma once

// What minimill says about an answer, and is told about a request, in headers beside the protocol
// (see headers.h).

#include <string>

#include "http/message.h"
#include "policy/request.h"
#include "serve/service.h"

namespace minimill::api {

/// What the headers of a request wish. kInvalidArgument names the header.
Result<> read_wishes(const http::Headers& headers, policy::Wishes& wishes,
                     chat::Deadline& deadline);

/// Who answers and why: all of an answer's but the cost, which is known later.
http::Headers serving_headers(const serve::Serving& serving, std::string_view content_type);

/// Retry-After in whole seconds, rounded up, where the error says when to come again.
void add_retry_after(const Error& error, http::Headers& headers);

}  // namespace minimill::api
