#pragma once

// How a streamed answer goes on after the engine that wrote it has died: a second request that
// carries what was already answered as the beginning of the assistant's message. llama-server
// continues such a message ("continue_final_message"), under the same grammar if there is one, and
// does not repeat it. Pure functions over values.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"
#include "chat/chat_event.h"

namespace minimill::engine {

/// What the app has received so far of one answer.
struct SentSoFar {
  std::string text;
  std::string reasoning;
  bool tool_calls = false;
  bool finished = false;
  std::int64_t pieces = 0;  // of text and reasoning; llama-server sends one per token

  bool empty() const { return pieces == 0 && !tool_calls; }
};

void note(SentSoFar& sent, const chat::ChatEvent& event);

/// The body that asks for the rest, from the `body` that asked for the whole. kUnavailable where
/// the answer cannot be continued: half a tool call has been sent.
Result<std::string> continue_body(std::string_view body, const SentSoFar& sent);

/// Tokens the app may still get, by the body's own limit; -1 where it sets none.
std::int64_t tokens_left(std::string_view body, const SentSoFar& sent);

/// Token counts of the whole answer, from those of its last part, whose prompt had the first part
/// at its end.
chat::Usage whole_usage(chat::Usage last_part, std::int64_t pieces_before);

}  // namespace minimill::engine
