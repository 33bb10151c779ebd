#pragma once

// What the router would do, what it knows, and its state as a file.
//   POST /v1/route                       a chat, decided and not carried out
//   GET  /minimill/v1/router             what it has learnt
//   POST /minimill/v1/router/train       {"examples": […]}: learn from them
//   POST /minimill/v1/router/estimate    {"examples": […]}: its estimates, learning nothing
//   GET, PUT /minimill/v1/router/state   all of it, as bytes

#include <functional>

#include "api/access.h"
#include "api/chat_api.h"
#include "api/routes.h"
#include "learn/router_keeper.h"
#include "route/router.h"

namespace minimill::api {

class RouterApi {
 public:
  RouterApi(const Clock& clock, ChatApi& chats, serve::Service& service, route::Router& router,
            learn::RouterKeeper& keeper);

  void add_to(Routes& routes);

 private:
  asio::awaitable<void> route(http::Request& request, http::Responder& out);
  asio::awaitable<void> show(http::Responder& out);
  asio::awaitable<void> get_state(http::Responder& out);
  asio::awaitable<void> examples(const http::Request& request, http::Responder& out, bool train);
  asio::awaitable<void> put_state(const http::Request& request, http::Responder& out);

  const Clock& clock_;
  ChatApi& chats_;
  serve::Service& service_;
  route::Router& router_;
  learn::RouterKeeper& keeper_;
};

}  // namespace minimill::api
