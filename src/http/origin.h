#pragma once

// Who made a browser send a request. Any page of the web may have a browser POST to a server on
// this machine without asking ("simple" requests of the Fetch standard); it cannot read the answer,
// but the tasks are added and the money is spent. Browsers say where such a request comes from:
// Origin (RFC 6454) and Sec-Fetch-Site (W3C Fetch Metadata). Programs say neither.

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/server.h"

namespace minimill::http {

/// kForbidden for a request over TCP that may change something (all but GET, HEAD, OPTIONS) and
/// comes from a page that is not on this machine, not of the very host asked, and not one of
/// `invited` ("https://app.example:8443", as an Origin header says it). kInvalidArgument for a
/// body that says it is something else than JSON: forms and text are what pages can send
/// without asking. (curl -d calls everything a form: from programs that passes.) A request from a
/// Unix socket comes from no browser.
Result<> check_origin(const Request& request, std::span<const std::string> invited);

/// A browser says that a page of the very host asked has sent it, or its user by hand (an address
/// typed in, a link of another program's): what a cookie may vouch for. What says nothing of where
/// it comes from may look at most.
bool is_same_origin(const Request& request);

/// kInvalidArgument, naming it, for a header that begins with `prefix` and is given twice: of two
/// values only one would be heard, and it might be the laxer.
Result<> check_given_once(const Headers& headers, std::string_view prefix);

}  // namespace minimill::http
