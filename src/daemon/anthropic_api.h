#pragma once

// Anthropic's paths: messages, and how many tokens a message would be.

#include "daemon/backends.h"
#include "daemon/chat_api.h"

namespace minimill::daemon {

class AnthropicApi {
 public:
  AnthropicApi(ChatApi& chats, Gateway& gateway, ModelSelector& selector, Backends& backends,
               Access& access)
      : chats_(chats),
        gateway_(gateway),
        selector_(selector),
        backends_(backends),
        access_(access) {}

  void add_to(Routes& routes);

 private:
  struct Count {
    std::int64_t tokens = 0;
    bool estimated = false;  // nobody who could count would
  };
  asio::awaitable<void> count_tokens(const http::Request& request, http::Responder& out);
  asio::awaitable<Result<Count>> count(const http::Request& request);

  ChatApi& chats_;
  Gateway& gateway_;
  ModelSelector& selector_;
  Backends& backends_;
  Access& access_;
};

}  // namespace minimill::daemon
