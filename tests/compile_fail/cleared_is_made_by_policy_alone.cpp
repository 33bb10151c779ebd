// Must not compile: only policy clears a request.
#include "policy/privacy.h"

using minimill::chat::ChatRequest;
using minimill::policy::Cleared;

Cleared<ChatRequest> smuggle(ChatRequest request) {
  return Cleared<ChatRequest>(std::move(request));
}
