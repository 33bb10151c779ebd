#pragma once

// The one place where an HTTP request becomes one of ours: its headers are read as wishes, its
// model's name resolved, and it is let in or refused.

#include "chat/chat_request.h"
#include "http/server.h"
#include "policy/admission.h"
#include "serve/model_selector.h"

namespace minimill::api {

class RequestReader {
 public:
  RequestReader(policy::Admission& admission, const serve::ModelSelector& selector)
      : admission_(admission), selector_(selector) {}

  /// `chat` as its protocol's reader made it of `request`'s body; `of_history`: the privacy of what
  /// it goes on from. The errors name the field or header.
  Result<policy::Request> admit(const http::Request& request, chat::ChatRequest chat,
                                policy::Privacy of_history = policy::Privacy::kAllow) const;

 private:
  policy::Admission& admission_;
  const serve::ModelSelector& selector_;
};

}  // namespace minimill::api
