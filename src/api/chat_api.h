#pragma once

// Chats over HTTP, whatever the protocol: reads the request through its Exchange, has the Service
// answer it, and writes the answer as the Exchange says. A backend that speaks the app's own
// protocol is passed on frame by frame as it comes.

#include <functional>
#include <memory>

#include "api/exchange.h"
#include "api/request_reader.h"
#include "api/routes.h"
#include "async/blocking_pool.h"

namespace minimill::api {

class ChatApi {
 public:
  /// Big requests are read on `parsing`.
  ChatApi(serve::Service& service, const RequestReader& reader, async::BlockingPool& parsing)
      : service_(service), reader_(reader), parsing_(parsing) {}

  /// Carries out one request; whatever happens, it is answered.
  asio::awaitable<void> serve(http::Request& request, http::Responder& out, Exchange& exchange);

  /// A route that answers each request through an Exchange of its own.
  RouteHandler route(std::function<std::unique_ptr<Exchange>()> make);

  /// What `request` asks for, let in.
  asio::awaitable<Result<policy::Request>> read(const http::Request& request, Exchange& exchange);

 private:
  asio::awaitable<Result<>> respond(const http::Request& request, policy::Request asked,
                                    Exchange& exchange, http::Responder& out);
  asio::awaitable<Result<>> respond_streaming(const http::Request& request, policy::Request asked,
                                              Exchange& exchange, http::Responder& out);

  serve::Service& service_;
  const RequestReader& reader_;
  async::BlockingPool& parsing_;
};

/// The status that fits the error, its Retry-After, and `body`.
asio::awaitable<void> send_error(const Error& error, std::string body, http::Responder& out);

}  // namespace minimill::api
