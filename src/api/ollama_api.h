#pragma once

// Ollama's paths: chats, embeddings, and the models on this machine.

#include <boost/asio/io_context.hpp>

#include "api/chat_api.h"
#include "api/embedding_service.h"
#include "api/request_reader.h"
#include "async/blocking_pool.h"
#include "protocol/ollama.h"

namespace minimill::api {

class OllamaApi {
 public:
  OllamaApi(const Clock& clock, ChatApi& chats, EmbeddingService& embeddings,
            serve::Engines& engines, serve::ModelSelector& selector, http::Client& client,
            const RequestReader& reader)
      : clock_(clock),
        chats_(chats),
        embeddings_(embeddings),
        engines_(engines),
        selector_(selector),
        client_(client),
        reader_(reader) {}

  void add_to(Routes& routes);

 private:
  asio::awaitable<void> chat(http::Request& request, http::Responder& out,
                             protocol::ollama::Shape shape);
  asio::awaitable<void> embed(http::Request& request, http::Responder& out);
  asio::awaitable<void> embed_one(http::Request& request, http::Responder& out);
  asio::awaitable<void> pull(const http::Request& request, http::Responder& out);
  asio::awaitable<void> tags(http::Responder& out) const;
  asio::awaitable<void> loaded(http::Responder& out) const;
  asio::awaitable<void> show(const http::Request& request, http::Responder& out) const;
  asio::awaitable<void> remove(const http::Request& request, http::Responder& out);

  /// What apps may ask for besides the models in the store.
  std::vector<std::string> names_beyond_the_device() const;

  /// Loads the model, or unloads it: what a request without a prompt asks for.
  asio::awaitable<Result<>> load(const http::Request& request, std::string_view model,
                                 std::optional<std::chrono::seconds> keep_alive);
  void keep_alive(std::string_view model, std::optional<std::chrono::seconds> time);
  /// The local model a name stands for; nullptr where it is none.
  engine::Backend* engine_of(std::string_view model);

  const Clock& clock_;
  ChatApi& chats_;
  EmbeddingService& embeddings_;
  serve::Engines& engines_;
  serve::ModelSelector& selector_;
  http::Client& client_;
  const RequestReader& reader_;
};

}  // namespace minimill::api
