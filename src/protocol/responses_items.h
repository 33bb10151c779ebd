#pragma once

// The items that OpenAI's Responses API makes its conversations of, as chat's messages: what comes
// in as input, and what was answered before and is kept.
//
// An item is a message, a function call, what the function gave, or a model's reasoning.

#include <boost/json.hpp>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_request.h"

namespace minimill::protocol::responses {

/// `items` in order; `path` is what errors call the array. Calls that follow each other, and what
/// the assistant says beside them, become one message, as every chat protocol has them. Reasoning
/// is read over: it is nothing that another model could be told. kUnsupported for items that only
/// OpenAI's own tools and stores make.
Result<std::vector<chat::Message>> messages_of(const boost::json::array& items,
                                               std::string_view path);

/// Items that messages_of takes, in the one form that they are stored and shown in: each with its
/// type, a message's content as an array of parts.
boost::json::array normalised(const boost::json::array& items);
/// The one item of an input that is a string.
boost::json::array normalised(std::string_view input);

bool has_reasoning(const boost::json::array& items);

}  // namespace minimill::protocol::responses
