#pragma once

// A body that goes on to a backend of the protocol it came in: each field as it arrived but for the
// few that are minimill's, and those that were edited.

#include <boost/json.hpp>
#include <span>
#include <string>
#include <string_view>

#include "chat/chat_request.h"

namespace minimill::protocol {

namespace json = boost::json;

/// {"model": `model`, every field of the request's untouched body not named in `ours`, with `tail`
/// (begins with a comma, or is empty) before the last brace. Written field by field into one string
/// with room for all of it: the body is never copied as a tree.
std::string write_passthrough(const chat::ChatRequest& request, std::string_view model,
                              std::span<const std::string_view> ours, std::string_view tail);

/// The fields of an edited request for a backend of the protocol it came in. `before` and `after`
/// are its parts, written, before and after the edits: a field that is the same in both is as it
/// arrived, or is not there where it did not arrive; the others are `after`'s, and so are those
/// named in `ours`.
json::object merge_edited(const json::object& arrived, const json::object& before,
                          json::object after, std::span<const std::string_view> ours);

}  // namespace minimill::protocol
