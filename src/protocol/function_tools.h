#pragma once

// Tools as OpenAI writes them, and Ollama after it: {"type": "function", "function": {"name", …}}.

#include <boost/json.hpp>

#include "base/error.h"
#include "chat/chat_request.h"

namespace minimill::protocol {

/// The entries of "tools" into the request. kInvalidArgument names the field.
Result<> parse_function_tools(const boost::json::array& tools, chat::RequestParts& request);

}  // namespace minimill::protocol
