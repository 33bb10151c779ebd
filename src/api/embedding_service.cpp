#include "api/embedding_service.h"

#include <utility>

namespace minimill::api {

asio::awaitable<Result<serve::Embedded>> EmbeddingService::embed(
    const http::Request& request, protocol::EmbeddingRequest wanted) {
  chat::RequestParts parts;
  parts.model = wanted.model;
  for (const std::string& text : wanted.texts) {
    parts.messages.push_back(chat::text_message(chat::Role::kUser, text));
  }
  parts.sampling.max_tokens = 1;  // nothing is written
  chat::ChatRequest chat(std::move(parts));
  Result<policy::Request> asked = reader_.admit(request, std::move(chat));
  if (!asked) co_return std::unexpected(std::move(asked.error()));
  co_return co_await service_.embed(std::move(*asked), std::move(wanted));
}

}  // namespace minimill::api
