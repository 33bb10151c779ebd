#pragma once

// POST /v1/decisions, in OpenAI's format: typed questions about one input, answered with
// probabilities. Each question is a request of its own, decided, learnt and recorded like any
// other, so that each finds its own way: to a micro-model, to the engine, which weighs the options,
// or to a provider. Several are asked at once.

#include <boost/asio/any_io_executor.hpp>

#include "api/request_reader.h"
#include "api/routes.h"
#include "protocol/decisions.h"
#include "serve/service.h"

namespace minimill::api {

class DecisionsApi {
 public:
  static constexpr std::size_t kAtOnce = 8;

  DecisionsApi(asio::any_io_executor executor, serve::Service& service, const RequestReader& reader)
      : executor_(std::move(executor)), service_(service), reader_(reader) {}

  void add_to(Routes& routes);

 private:
  struct Round;
  asio::awaitable<void> decide(http::Request& request, http::Responder& out);
  /// Answers questions until there are none left, or one has failed.
  asio::awaitable<void> work(Round& round);
  asio::awaitable<Result<>> answer(Round& round, std::size_t question);

  asio::any_io_executor executor_;
  serve::Service& service_;
  const RequestReader& reader_;
};

}  // namespace minimill::api
