#include "http/server.h"

#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <stdexcept>

#include "http/server_fixture.h"

namespace minimill::http {
namespace {

TEST_F(HttpServer, AnswersManyRequestsOverOneConnection) {
  serve_echo();
  RawPeer peer = connect();

  for (int i = 0; i < 3; ++i) {
    peer.send("POST /a%20b?x=1 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nxyz");
    const RawPeer::Answer answer = peer.answer();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "/a b|x=1|xyz");
  }
  EXPECT_EQ(server->connections(), 1U);
}

TEST_F(HttpServer, PipelinedRequestsAreAnsweredInOrder) {
  serve_echo();
  RawPeer peer = connect();

  peer.send(
      "POST /1 HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\nab\r\n1;ext=1\r\nc\r\n0\r\n\r\n"
      "GET /2 HTTP/1.1\r\nHost: localhost\r\n\r\n"
      "POST /3 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n!");

  EXPECT_EQ(peer.answer().body, "/1||abc");
  EXPECT_EQ(peer.answer().body, "/2||");
  EXPECT_EQ(peer.answer().body, "/3||!");
}

TEST_F(HttpServer, RequestThatComesByteByByteIsRead) {
  serve_echo();
  RawPeer peer = connect();

  for (const char c :
       std::string("POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nhi")) {
    peer.send(std::string_view(&c, 1));
    loop.poll();
  }

  EXPECT_EQ(peer.answer().body, "/a||hi");
}

TEST_F(HttpServer, ConnectionCloseIsHonoured) {
  serve_echo();
  RawPeer peer = connect();

  peer.send("GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");

  EXPECT_NE(peer.answer().head.find("connection: close"), std::string::npos);
  EXPECT_TRUE(peer.ended());
}

TEST_F(HttpServer, Http10IsClosedUnlessItAsksToBeKept) {
  serve_echo();
  RawPeer once = connect();
  RawPeer kept = connect();

  once.send("GET /a HTTP/1.0\r\nHost: localhost\r\n\r\n");
  kept.send("GET /a HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");

  EXPECT_EQ(once.answer().status, 200);
  EXPECT_TRUE(once.ended());
  EXPECT_NE(kept.answer().head.find("connection: keep-alive"), std::string::npos);
}

TEST_F(HttpServer, HeadHasTheHeadersAndNoBody) {
  serve_echo();
  RawPeer peer = connect();

  peer.send("HEAD /a HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const RawPeer::Answer head = peer.answer(true);
  peer.send(kGet);

  EXPECT_NE(head.head.find("content-length: 4"), std::string::npos);
  EXPECT_EQ(peer.answer().body, "/a||");  // no byte of a body before it
}

TEST_F(HttpServer, BodyIsAskedForWhenTheClientWaitsToSendIt) {
  serve_echo();
  RawPeer peer = connect();

  peer.send(
      "POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  EXPECT_EQ(peer.read_through("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  peer.send("ok");

  EXPECT_EQ(peer.answer().body, "/||ok");
}

TEST_F(HttpServer, BodyOverTheLimitIs413BeforeItIsSent) {
  ServerOptions options;
  options.max_body_bytes = 10;
  serve_echo(options);

  EXPECT_EQ(exchange("POST / HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                     "Content-Length: 11\r\n\r\n")
                .status,
            413);
  EXPECT_EQ(exchange("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n")
                .status,
            413);
  EXPECT_EQ(
      exchange("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n1234567890").body,
      "/||1234567890");
}

TEST_F(HttpServer, RefusalIsReadableEvenByAClientThatGoesOnSending) {
  ServerOptions options;
  options.max_body_bytes = 10;
  serve_echo(options);
  RawPeer peer = connect();

  peer.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" +
            std::string(1'000'000, 'x'));

  EXPECT_EQ(peer.answer().status, 413);
}

TEST_F(HttpServer, HeadersOverTheLimitAre431) {
  ServerOptions options;
  options.max_header_bytes = 1024;
  serve_echo(options);

  EXPECT_EQ(
      exchange("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(2000, 'x') + "\r\n\r\n")
          .status,
      431);
}

TEST_F(HttpServer, RequestsThatCanBeReadInTwoWaysAreRefusedAndTheConnectionClosed) {
  serve_echo();
  const std::string tail = "\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const std::string head = "POST / HTTP/1.1\r\nHost: localhost\r\n";
  const std::vector<std::string> attacks{
      head + "Content-Length: 5\r\nTransfer-Encoding: chunked" + tail,
      head + "Transfer-Encoding: chunked\r\nContent-Length: 5" + tail,
      head + "Transfer-Encoding: gzip\r\nContent-Length: 5" + tail,
      head + "Transfer-Encoding: gzip" + tail,
      head + "Transfer-Encoding: gzip, chunked" + tail,
      head + "Transfer-Encoding: chunked, gzip" + tail,
      head + "Transfer-Encoding: xchunked" + tail,
      head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity" + tail,
      head + "Transfer-Encoding : chunked" + tail,
      head + "Content-Length: 5\r\nContent-Length: 6" + tail,
      head + "Content-Length: 5, 6" + tail,
      head + "Content-Length: -5" + tail,
      head + "Content-Length: +5" + tail,
      head + "Content-Length: 0x5" + tail,
      head + "Content-Length: 99999999999999999999999" + tail,
      head + "Content-Length:" + tail,
      "POST / HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked" + tail,
      head + "Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n",
      head + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nab\r\n0\r\n\r\n",
      "GET http://evil/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET /%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "GET / HTTP/1.1\nHost: localhost\n\n\r\n\r\n",
      "GET / HTTP/1.1\r\n\r\n",
      "GET / HTTP/3.7\r\nHost: localhost\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello\r\n\r\n"};

  for (const std::string& attack : attacks) {
    RawPeer peer = connect();
    peer.send(attack);
    EXPECT_EQ(peer.answer().status, 400) << attack;
    EXPECT_EQ(peer.read_to_end(), "") << attack;
  }
}

TEST_F(HttpServer, OnlyNamesOfThisMachineAreAnswered) {
  ServerOptions options;
  options.allowed_hosts = {"mill.example"};
  serve_echo(options);
  const auto status = [this](const std::string& host) {
    return exchange("GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n").status;
  };

  for (const char* own :
       {"localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]", "[::1]:4177", "mill.example:9"}) {
    EXPECT_EQ(status(own), 200) << own;
  }
  for (const char* other : {"evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                            "localhost:evil", "[::1].evil", "127.0.0.11", ""}) {
    EXPECT_EQ(status(other), 403) << other;
  }
}

TEST_F(HttpServer, HeaderThatDribblesInIsCutOff) {
  ServerOptions options;
  options.header_timeout = 50ms;
  serve_echo(options);
  RawPeer fresh = connect();
  RawPeer kept = connect();

  fresh.send("GET / HTTP/1.1\r\nHost: loc");
  kept.send(kGet);
  EXPECT_EQ(kept.answer().status, 200);
  kept.send("GET / HTTP/1.1\r\nHo");

  EXPECT_EQ(fresh.read_to_end(), "");
  EXPECT_EQ(kept.read_to_end(), "");
}

TEST_F(HttpServer, BodyThatDoesNotComeIsCutOff) {
  ServerOptions options;
  options.body_timeout = 50ms;
  serve_echo(options);
  RawPeer peer = connect();

  peer.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf");

  EXPECT_EQ(peer.read_to_end(), "");
}

TEST_F(HttpServer, IdleConnectionIsClosedAfterItsTime) {
  ServerOptions options;
  options.idle_timeout = 50ms;
  serve_echo(options);
  RawPeer peer = connect();

  peer.send(kGet);

  EXPECT_EQ(peer.answer().status, 200);
  EXPECT_TRUE(peer.ended());
}

TEST_F(HttpServer, ClientThatLeavesCancelsItsHandler) {
  serve([this](Request&, Responder&) { return hang(); });
  RawPeer closing = connect();
  RawPeer half_closing = connect();
  closing.send(kGet);
  half_closing.send(kGet);
  ASSERT_TRUE(loop.until([this] { return entered == 2; }));

  closing.close();
  EXPECT_TRUE(loop.until([this] { return left == 1; }));
  half_closing.shut_down_sending();
  EXPECT_TRUE(loop.until([this] { return left == 2; }));

  EXPECT_TRUE(loop.until([this] { return server->connections() == 0; }));
}

TEST_F(HttpServer, RequestSentAheadWaitsForTheRunningOne) {
  asio::steady_timer gate(loop.io(), asio::steady_timer::time_point::max());
  serve([&](Request& request, Responder& out) -> asio::awaitable<void> {
    ++entered;
    if (request.path == "/slow") {
      co_await gate.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    co_await echo(request, out);
  });
  RawPeer peer = connect();

  peer.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(loop.until([this] { return entered == 1; }));
  peer.send(kGet);
  loop.poll();
  gate.cancel();

  EXPECT_EQ(peer.answer().body, "/slow||");
  EXPECT_EQ(peer.answer().body, "/a||");
}

TEST_F(HttpServer, StreamArrivesChunkByChunk) {
  asio::steady_timer gate(loop.io(), asio::steady_timer::time_point::max());
  serve([&](Request&, Responder& out) -> asio::awaitable<void> {
    Headers headers{{"content-type", "text/event-stream"}};
    co_await out.start(200, std::move(headers));
    co_await out.write("one");
    co_await gate.async_wait(asio::as_tuple(asio::use_awaitable));
    co_await out.write("");  // must not end the stream
    co_await out.write("two");
    co_await out.finish();
  });
  RawPeer peer = connect();

  peer.send(kGet);
  const std::string first = peer.read_through("one\r\n");
  gate.cancel();
  const std::string rest = peer.read_through("0\r\n\r\n");

  EXPECT_NE(first.find("transfer-encoding: chunked\r\n\r\n3\r\none\r\n"), std::string::npos);
  EXPECT_EQ(rest, "3\r\ntwo\r\n0\r\n\r\n");
}

TEST_F(HttpServer, StreamToHttp10EndsWithTheConnection) {
  serve([](Request&, Responder& out) -> asio::awaitable<void> {
    Headers headers;
    co_await out.start(200, std::move(headers));
    co_await out.write("plain");
    co_await out.finish();
  });
  RawPeer peer = connect();

  peer.send("GET / HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n");

  EXPECT_TRUE(peer.read_to_end().ends_with("connection: close\r\n\r\nplain"));
}

TEST_F(HttpServer, ReaderThatStallsHoldsTheWriterBackAndIsCutOff) {
  ServerOptions options;
  options.write_timeout = 200ms;
  std::size_t written = 0;
  bool failed = false;
  serve(
      [&](Request&, Responder& out) -> asio::awaitable<void> {
        const std::string chunk(64 << 10, 'x');
        Headers headers;
        co_await out.start(200, std::move(headers));
        constexpr std::size_t kFarTooMuch = std::size_t{1} << 30;
        while (written < kFarTooMuch) {
          const Result<> sent = co_await out.write(chunk);
          failed = !sent;
          if (failed) co_return;
          written += chunk.size();
        }
      },
      options);
  RawPeer peer = connect();

  peer.send(kGet);

  EXPECT_TRUE(loop.until([this] { return server->connections() == 0; }));
  EXPECT_LT(written, std::size_t{64} << 20);  // what the kernel's buffers hold
}

TEST_F(HttpServer, ReaderThatIsSlowIsServedToTheEnd) {
  ServerOptions options;
  options.write_timeout = 10s;
  constexpr std::size_t kBytes = 20 << 20;
  serve(
      [&](Request&, Responder& out) -> asio::awaitable<void> {
        Headers headers;
        std::string body(kBytes, 'x');
        co_await out.send(200, std::move(headers), std::move(body));
      },
      options);

  EXPECT_EQ(exchange(kGet).body.size(), kBytes);
}

TEST_F(HttpServer, HandlerWithoutAnswerIs500) {
  serve([](Request&, Responder&) -> asio::awaitable<void> { co_return; });

  const RawPeer::Answer answer = exchange(kGet);

  EXPECT_EQ(answer.status, 500);
  EXPECT_NE(answer.body.find("error"), std::string::npos);
}

TEST_F(HttpServer, HandlerThatThrowsIs500AndTheServerGoesOn) {
  serve([](Request& request, Responder& out) -> asio::awaitable<void> {
    if (request.path == "/a") throw std::runtime_error("a bug");
    co_await echo(request, out);
  });

  EXPECT_EQ(exchange(kGet).status, 500);
  EXPECT_EQ(exchange("GET /b HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 200);
}

TEST_F(HttpServer, StreamThatBreaksOffIsNotEndedProperly) {
  serve([](Request&, Responder& out) -> asio::awaitable<void> {
    Headers headers;
    co_await out.start(200, std::move(headers));
    co_await out.write("half");
    throw std::runtime_error("a bug");
  });
  RawPeer peer = connect();

  peer.send(kGet);

  EXPECT_TRUE(peer.read_to_end().ends_with("half\r\n"));
}

TEST_F(HttpServer, SecondAnswerIsAnErrorAndNotSent) {
  std::optional<ErrorCode> code;
  serve([&](Request& request, Responder& out) -> asio::awaitable<void> {
    co_await echo(request, out);
    Headers headers;
    std::string body = "again";
    const Result<> again = co_await out.send(200, std::move(headers), std::move(body));
    if (!again) code = again.error().code;
  });
  RawPeer peer = connect();

  peer.send("GET /a HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");

  EXPECT_TRUE(peer.read_to_end().ends_with("/a||"));
  EXPECT_EQ(code, ErrorCode::kInternal);
}

TEST_F(HttpServer, AnswersHeadersCannotBeForged) {
  serve([](Request&, Responder& out) -> asio::awaitable<void> {
    Headers headers{
        {"x-evil", "a\r\nset-cookie: b"}, {"Content-Length", "1"}, {"Transfer-Encoding", "x"}};
    std::string body = "body";
    co_await out.send(200, std::move(headers), std::move(body));
  });

  const RawPeer::Answer answer = exchange(kGet);

  EXPECT_EQ(answer.body, "body");
  EXPECT_EQ(answer.head.find("\r\nset-cookie"), std::string::npos);
  EXPECT_EQ(answer.head.find("Content-Length"), std::string::npos);
  EXPECT_EQ(answer.head.find("Transfer-Encoding"), std::string::npos);
}

TEST_F(HttpServer, StatusWithoutBodyHasNone) {
  serve([](Request&, Responder& out) -> asio::awaitable<void> {
    Headers headers;
    std::string body = "lost";
    co_await out.send(204, std::move(headers), std::move(body));
  });
  RawPeer peer = connect();

  peer.send("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");

  EXPECT_EQ(peer.read_to_end(), "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");
}

TEST_F(HttpServer, StopLetsARunningHandlerFinish) {
  asio::steady_timer gate(loop.io(), asio::steady_timer::time_point::max());
  serve([&](Request& request, Responder& out) -> asio::awaitable<void> {
    ++entered;
    co_await gate.async_wait(asio::as_tuple(asio::use_awaitable));
    co_await echo(request, out);
  });
  RawPeer idle = connect();
  RawPeer busy = connect();
  busy.send(kGet);
  ASSERT_TRUE(loop.until([this] { return entered == 1 && server->connections() == 2; }));

  bool stopped = false;
  asio::co_spawn(loop.io(), server->stop(1h), [&](const std::exception_ptr&) { stopped = true; });
  EXPECT_TRUE(idle.ended());
  EXPECT_FALSE(stopped);
  EXPECT_THROW(connect(), boost::system::system_error);
  gate.cancel();

  const RawPeer::Answer answer = busy.answer();
  EXPECT_EQ(answer.body, "/a||");
  EXPECT_NE(answer.head.find("connection: close"), std::string::npos);
  EXPECT_TRUE(loop.until([&] { return stopped; }));
}

TEST_F(HttpServer, StopCancelsWhatOutlivesItsGrace) {
  serve([this](Request&, Responder&) { return hang(); });
  RawPeer peer = connect();
  peer.send(kGet);
  ASSERT_TRUE(loop.until([this] { return entered == 1; }));

  loop.run(server->stop(10ms));

  EXPECT_EQ(left, 1);
  EXPECT_EQ(server->connections(), 0U);
}

TEST_F(HttpServer, ServerThatIsDestroyedCancelsItsHandlers) {
  serve([this](Request&, Responder&) { return hang(); });
  RawPeer peer = connect();
  peer.send(kGet);
  ASSERT_TRUE(loop.until([this] { return entered == 1; }));

  server.reset();

  EXPECT_TRUE(loop.until([this] { return left == 1; }));
}

TEST_F(HttpServer, ConnectionsOverTheLimitAreToldSo) {
  ServerOptions options;
  options.max_connections = 1;
  serve_echo(options);
  RawPeer first = connect();
  first.send(kGet);
  EXPECT_EQ(first.answer().status, 200);

  RawPeer second = connect();
  EXPECT_EQ(second.answer().status, 503);

  first.close();
  EXPECT_TRUE(loop.until([this] { return server->connections() == 0; }));
  EXPECT_EQ(exchange(kGet).status, 200);
}

TEST_F(HttpServer, OwnersUnixSocketHasPlacesThatTcpCannotTake) {
  test::TempDir folder;
  ServerOptions options;
  options.max_connections = 2;
  options.kept_for_unix = 1;
  serve_echo(options);
  const std::string unix_at = "unix:" + (folder.path() / "own.sock").string();
  ASSERT_TRUE(server->listen(unix_at).has_value());
  RawPeer first = connect();
  first.send(kGet);
  ASSERT_EQ(first.answer().status, 200);
  RawPeer second = connect();
  EXPECT_EQ(second.answer().status, 503);

  RawPeer owner(loop, unix_at);
  owner.send(kGet);

  EXPECT_EQ(owner.answer().status, 200);
}

TEST_F(HttpServer, UnfinishedBodiesBeyondTheBudgetAreToldToComeAgain) {
  ServerOptions options;
  options.max_held_bytes = 256 << 10;
  options.max_held_bytes_per_peer = 256 << 10;
  serve_echo(options);
  const std::string half = std::string(200 << 10, 'x');
  const std::string head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n";
  RawPeer first = connect();
  first.send(head + half);
  RawPeer second = connect();
  second.send(head + half);

  const RawPeer::Answer refused = second.answer();
  EXPECT_EQ(refused.status, 503);
  EXPECT_NE(refused.head.find("retry-after: 1"), std::string::npos);
  EXPECT_EQ(exchange(kGet).status, 200);  // what is small is served beside them

  first.close();
  EXPECT_TRUE(loop.until([this] { return server->connections() == 0; }));
  RawPeer third = connect();
  third.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 204800\r\n\r\n" + half);
  EXPECT_EQ(third.answer().status, 200);
}

}  // namespace
}  // namespace minimill::http
