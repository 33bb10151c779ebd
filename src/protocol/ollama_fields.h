#pragma once

// Fields that the bodies of several of Ollama's endpoints share.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "chat/chat_request.h"

namespace minimill::protocol::ollama {

/// "model", or "name" as older clients call it. What is wrong is rejected at `fields`.
std::string read_model(Fields& fields);

/// "keep_alive": a number of seconds, or a Go duration such as "1h30m". What is less than a second
/// is one, as zero means unloading; what is negative, or more than a century, is -1 s.
std::optional<std::chrono::seconds> read_keep_alive(Fields& fields);

/// "options": those that a request has a place for; each of the rest becomes a note in `emulated`.
Result<> read_options(const json::object& body, chat::RequestDraft& request);
/// The same for requests that have a place for none.
Result<> note_options(const json::object& body, std::vector<std::string>& emulated);

}  // namespace minimill::protocol::ollama
