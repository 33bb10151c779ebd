#pragma once

// Anthropic's paths: messages, and how many tokens a message would be.

#include "api/chat_api.h"
#include "serve/backend.h"

namespace minimill::api {

class AnthropicApi {
 public:
  AnthropicApi(ChatApi& chats, serve::Service& service, const RequestReader& reader,
               const serve::Backends& backends)
      : chats_(chats), service_(service), reader_(reader), backends_(backends) {}

  void add_to(Routes& routes);

 private:
  struct Count {
    std::int64_t tokens = 0;
    bool estimated = false;  // nobody who could count would
  };
  asio::awaitable<void> count_tokens(const http::Request& request, http::Responder& out);
  asio::awaitable<Result<Count>> count(const http::Request& request);

  ChatApi& chats_;
  serve::Service& service_;
  const RequestReader& reader_;
  const serve::Backends& backends_;
};

}  // namespace minimill::api
