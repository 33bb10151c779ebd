#pragma once

// Anthropic's paths: messages, and how many tokens a message would be.

#include "api/chat_api.h"
#include "serve/backends.h"

namespace minimill::api {

class AnthropicApi {
 public:
  AnthropicApi(ChatApi& chats, serve::Gateway& gateway, serve::ModelSelector& selector,
               serve::Backends& backends, Access& access)
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
  serve::Gateway& gateway_;
  serve::ModelSelector& selector_;
  serve::Backends& backends_;
  Access& access_;
};

}  // namespace minimill::api
