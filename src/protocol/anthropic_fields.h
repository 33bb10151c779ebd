#pragma once

// Fields that Anthropic's whole and streamed answers share.

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "chat/chat_event.h"

namespace minimill::protocol::anthropic {

chat::FinishReason finish_reason(std::string_view stop_reason);
std::string_view stop_reason(chat::FinishReason finish);
/// Adds the counts an object has to what is known: message_start has the prompt's, message_delta the
/// answer's. Cached prompt tokens are reported apart and belong to the prompt.
void add_usage(const boost::json::object& usage, chat::Usage& known);
boost::json::object usage_json(const chat::Usage& usage);

std::string text_in(const boost::json::object& object, std::string_view key);
const boost::json::object* object_in(const boost::json::object& object, std::string_view key);

}  // namespace minimill::protocol::anthropic
