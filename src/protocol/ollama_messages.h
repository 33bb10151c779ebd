#pragma once

// The messages of an Ollama request: text, images without a type, tool calls without ids.

#include <boost/json.hpp>
#include <string>

#include "base/error.h"
#include "chat/chat_request.h"

namespace minimill::protocol::ollama {

/// Appends "messages" to the request's; errors name the field in it.
Result<> parse_messages(const boost::json::array& messages, chat::RequestParts& request);

/// Appends base64 images to a message as data URLs, their types told by how they begin. They come
/// before the text that asks about them, as Ollama puts them.
Result<> parse_images(const boost::json::array& images, const std::string& path,
                      chat::Message& message);

}  // namespace minimill::protocol::ollama
