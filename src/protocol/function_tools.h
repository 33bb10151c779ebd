#pragma once

// Tools as OpenAI and Ollama write them: [{"type": "function", "function": {…}}], and what the
// protocols have in common about tools that are none or but some of several.

#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_request.h"

namespace minimill::protocol {

/// Appends to the tools of `request`; errors name tools[i]. Kinds of tools that only a provider
/// has are read over: they live on in the body, and translation.h says what becomes of them.
Result<> parse_function_tools(const boost::json::array& tools, chat::RequestParts& request);

/// OpenAI's allowed_tools, {"mode": "auto", "tools": […]}: of the tools that were read before, the
/// others are taken out.
Result<> allow_tools(const boost::json::object& allowed, chat::RequestParts& request);

/// A tool whose argument is free text, as a function of one string; `definition` is OpenAI's.
chat::Tool custom_tool(std::string name, std::string description,
                       const boost::json::object& definition);
/// {"input": text}
std::string free_text_arguments(std::string_view text);
/// What stands there; for arguments of any other form, the arguments themselves.
std::string free_text(std::string_view arguments);

/// Takes what a tool's result shows beside its words out of the parts it was read as.
void move_shown(std::vector<chat::Part>& parts, chat::ToolResult& result);

}  // namespace minimill::protocol
