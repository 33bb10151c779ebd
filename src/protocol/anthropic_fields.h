#pragma once

// Fields that Anthropic's whole and streamed answers share.

#include <boost/json.hpp>
#include <string>
#include <string_view>

#include "chat/chat_event.h"

namespace minimill::protocol::anthropic {

chat::FinishReason finish_reason(std::string_view stop_reason);
std::string_view stop_reason(chat::FinishReason finish);
/// Adds the counts an object has to what is known: message_start has the prompt's, message_delta
/// the answer's. Cached prompt tokens are reported apart and belong to the prompt.
void add_usage(const boost::json::object& usage, chat::Usage& known);
boost::json::object usage_json(const chat::Usage& usage);

/// A tool call's arguments as the object that Anthropic wants. Text that a model wrote and that is
/// none is kept as the one field of an object: it is what the model said.
boost::json::object input_json(const std::string& arguments);

/// What Anthropic refuses to take for a text, or for a sequence to stop at.
inline constexpr std::string_view kWhiteSpace = " \t\r\n";
inline bool is_blank(std::string_view text) {
  return text.find_first_not_of(kWhiteSpace) == std::string_view::npos;
}

}  // namespace minimill::protocol::anthropic
