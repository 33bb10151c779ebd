#pragma once

// Chats over HTTP, whatever the protocol: reads the request through its Exchange, has the Gateway
// answer it, and writes the answer as the Exchange says. A backend that speaks the app's own
// protocol is passed on frame by frame as it comes.

#include <functional>
#include <memory>

#include "api/access.h"
#include "api/exchange.h"
#include "api/routes.h"

namespace minimill::api {

class ChatApi {
 public:
  ChatApi(serve::Gateway& gateway, const serve::ModelSelector& selector, Access& access);

  /// Carries out one request; whatever happens, it is answered.
  asio::awaitable<void> serve(http::Request& request, http::Responder& out, Exchange& exchange);

  /// A route that answers each request through an Exchange of its own.
  RouteHandler route(std::function<std::unique_ptr<Exchange>()> make);

  /// The ask that the request is, by whom it comes from.
  Result<serve::Ask> read(const http::Request& request, Exchange& exchange) const;

 private:
  asio::awaitable<Result<>> respond(serve::Ask ask, Exchange& exchange, http::Responder& out);
  asio::awaitable<Result<>> respond_streaming(serve::Ask ask, Exchange& exchange,
                                              http::Responder& out);

  serve::Gateway& gateway_;
  const serve::ModelSelector& selector_;
  Access& access_;
};

/// The status that fits the error, its Retry-After, and `body`.
asio::awaitable<void> send_error(const Error& error, std::string body, http::Responder& out);

}  // namespace minimill::api
