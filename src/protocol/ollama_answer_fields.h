#pragma once

// Fields that Ollama's whole and streamed answers share.

#include <boost/json.hpp>
#include <string_view>
#include <vector>

#include "chat/chat_event.h"
#include "protocol/ollama.h"

namespace minimill::protocol::ollama {

/// An answer's text, thoughts and tool calls, as far as there are any: {"model", "created_at",
/// "message": {"role", "content", …}} or {…, "response", …}.
boost::json::object answer_json(Shape shape, std::string_view model, WallTime created_at,
                                const chat::AnswerParts& answer);

/// "done", its reason, the token counts and the durations, which only the last line has.
void add_ending(chat::FinishReason finish, const chat::Usage& usage, const Durations& durations,
                boost::json::object& answer);

boost::json::array logprobs_json(const std::vector<chat::TokenLogprob>& logprobs);

}  // namespace minimill::protocol::ollama
