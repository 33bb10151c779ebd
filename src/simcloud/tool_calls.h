#pragma once

// Which tools the simulated cloud calls, and what it says once they have answered.
//
// Where the app insists it calls the tool named, or the first. Else it calls those whose names the
// last user's message has ("get_weather", or "get weather"), one a turn in the order they are
// named, all at once where it says "parallel"; then it repeats what they answered. A JSON object
// after a name is the call's arguments: 'Read {"path": "hello.py"}'; where there is one, only the
// tools named so are called. Without, they are made up to fit the tool's schema.

#include <optional>
#include <string>
#include <vector>

#include "chat/chat_request.h"

namespace minimill::simcloud {

std::vector<chat::ToolCall> calls_for(const chat::ChatRequest& request);

/// The tools' answers since the user last spoke, "; " between them; nullopt where there is none.
std::optional<std::string> what_tools_said(const chat::ChatRequest& request);

}  // namespace minimill::simcloud
