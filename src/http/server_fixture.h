#pragma once

// A server and the raw sockets that talk to it.

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>
#include <optional>
#include <stdexcept>

#include "http/server.h"
#include "support/event_loop.h"
#include "support/raw_peer.h"
#include "support/temp_dir.h"

namespace minimill::http {
using test::EventLoop;
using test::RawPeer;
using namespace std::chrono_literals;

class HttpServer : public ::testing::Test {
 protected:
  void serve(Handler handler, ServerOptions options = {},
             std::string_view address = "127.0.0.1:0") {
    server.emplace(loop.io(), std::move(options), std::move(handler));
    const Result<std::string> bound = server->listen(address);
    ASSERT_TRUE(bound.has_value()) << bound.error().to_string();
    at = *bound;
  }

  /// Answers with the path and the body it got.
  void serve_echo(ServerOptions options = {}) {
    serve([](Request& request, Responder& out) { return echo(request, out); }, std::move(options));
  }

  static asio::awaitable<void> echo(Request& request, Responder& out) {
    Headers headers{{"content-type", "text/plain"}};
    std::string body = request.path + "|" + request.query + "|" + request.body;
    co_await out.send(200, std::move(headers), std::move(body));
  }

  /// A handler that waits for ever, counted in and out.
  asio::awaitable<void> hang() {
    struct Count {
      explicit Count(int& the_number) : number(the_number) {}
      ~Count() { ++number; }
      int& number;
    } const count(left);
    ++entered;
    asio::steady_timer never(loop.io(), asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::use_awaitable);
  }

  RawPeer connect() { return RawPeer(loop, at); }
  RawPeer::Answer exchange(std::string_view request) {
    RawPeer peer = connect();
    peer.send(request);
    return peer.answer();
  }

  void TearDown() override {
    if (!server) return;
    loop.run(server->stop(0ms));
    server.reset();
  }

  EventLoop loop;
  std::optional<Server> server;
  std::string at;
  int entered = 0;
  int left = 0;
};

inline constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: localhost\r\n\r\n";

}  // namespace minimill::http
