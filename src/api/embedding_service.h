#pragma once

// Vectors of texts, in whichever protocol they were asked for: the same way as every other request.

#include "api/request_reader.h"
#include "protocol/embeddings.h"
#include "serve/service.h"

namespace minimill::api {

namespace asio = boost::asio;

class EmbeddingService {
 public:
  EmbeddingService(serve::Service& service, const RequestReader& reader)
      : service_(service), reader_(reader) {}

  asio::awaitable<Result<serve::Embedded>> embed(const http::Request& request,
                                                 protocol::EmbeddingRequest wanted);

 private:
  serve::Service& service_;
  const RequestReader& reader_;
};

}  // namespace minimill::api
