#pragma once

// OpenAI's paths: chat completions, completions, responses and what is stored of them, embeddings.

#include "api/chat_api.h"
#include "api/embedding_service.h"
#include "responses/response_store.h"

namespace minimill::api {

class OpenAiApi {
 public:
  OpenAiApi(const Clock& clock, ChatApi& chats, EmbeddingService& embeddings,
            responses::ResponseStore& responses)
      : clock_(clock), chats_(chats), embeddings_(embeddings), responses_(responses) {}

  /// The routes hold a reference to this object.
  void add_to(Routes& routes);

 private:
  asio::awaitable<void> embed(http::Request& request, http::Responder& out);
  asio::awaitable<void> response(const http::Request& request, const PathParts& parts,
                                 http::Responder& out);
  asio::awaitable<void> input_items(const http::Request& request, const PathParts& parts,
                                    http::Responder& out);
  asio::awaitable<void> forget(const http::Request& request, const PathParts& parts,
                               http::Responder& out);

  const Clock& clock_;
  ChatApi& chats_;
  EmbeddingService& embeddings_;
  responses::ResponseStore& responses_;
};

}  // namespace minimill::api
