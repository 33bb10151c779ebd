#pragma once

// A tool's call that the app demands of a local model. llama-server's own way lets the model talk
// for as long as it likes before it calls, and needs a chat template that knows tools; small models
// then talk, and do not call. So they are asked for JSON that fits {"name": …, "arguments": …} of
// one of the tools, which a grammar enforces, and their answer is read as the call that it is.

#include "base/error.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"

namespace minimill::protocol {

/// The app says "required", or names a tool.
bool demands_call(const chat::ChatRequest& request);

/// The same request, asking for the call as JSON.
chat::ChatRequest call_as_json(chat::ChatRequest request);

/// The answer to that, as a call. An answer that is none (it was cut off, say) is left as it is.
void take_call(chat::ChatAnswer& answer);

}  // namespace minimill::protocol
