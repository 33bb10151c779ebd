// Must not compile: a request is changed by edit alone, else what is changed may not be what is
// sent.
#include "chat/chat_request.h"

void redact(minimill::chat::ChatRequest& request) { request.messages().clear(); }
