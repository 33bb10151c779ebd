#pragma once

// Fields that OpenAI's whole and streamed answers share.

#include <boost/json.hpp>
#include <string_view>
#include <vector>

#include "chat/chat_event.h"

namespace minimill::protocol::openai {

/// What is unknown, or missing, counts as a plain stop.
/// `with_calls`: the answer calls tools. Some backends say "stop" all the same.
chat::FinishReason finish_reason(std::string_view text, bool with_calls);
std::string_view finish_name(chat::FinishReason reason);

chat::Usage usage_of(const boost::json::object& usage);
boost::json::object usage_json(const chat::Usage& usage);

/// Of a choice: {"logprobs": {"content": [{"token", "logprob", "top_logprobs"}]}}.
std::vector<chat::TokenLogprob> logprobs_in(const boost::json::object& choice);
boost::json::object logprobs_json(const std::vector<chat::TokenLogprob>& tokens);

/// Of a message or a delta: "reasoning_content" (llama-server, DeepSeek) or "reasoning" (vLLM,
/// OpenRouter).
std::string_view reasoning_in(const boost::json::object& message);

}  // namespace minimill::protocol::openai
