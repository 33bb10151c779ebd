#pragma once

// A body that goes on to a backend of the protocol it came in: each field as it arrived but for the
// few that are minimill's.

#include <boost/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "chat/chat_request.h"

namespace minimill::protocol {

/// {"model": `model`, every field of the request's body not named in `ours`, with `tail` (begins
/// with a comma, or is empty) before the last brace. Written field by field into one string with
/// room for all of it: the body is never copied as a tree.
std::string write_passthrough(const chat::ChatRequest& request, std::string_view model,
                              std::span<const std::string_view> ours, std::string_view tail);

}  // namespace minimill::protocol
