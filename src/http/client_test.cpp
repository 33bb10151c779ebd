#include "http/client.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>
#include <optional>

#include "http/server.h"
#include "support/event_loop.h"
#include "support/raw_peer.h"
#include "support/temp_dir.h"

namespace minimill::http {
namespace {

using asio::ip::tcp;
using test::EventLoop;
using test::RawPeer;
using namespace std::chrono_literals;

/// A coroutine under way, its outcome once there is one.
template <class T>
class Pending {
 public:
  Pending(EventLoop& loop, asio::awaitable<T> work) : loop_(loop) {
    auto done = [state = state_](std::exception_ptr failure, T value) {
      state->done = true;
      if (!failure) state->value = std::move(value);
    };
    asio::co_spawn(loop.io(), std::move(work),
                   asio::bind_cancellation_slot(cancel_.slot(), std::move(done)));
  }

  bool is_done() const { return state_->done; }
  void cancel() { cancel_.emit(asio::cancellation_type::terminal); }
  T get() {
    EXPECT_TRUE(loop_.until([this] { return state_->done; }));
    return std::move(state_->value.value());
  }

 private:
  struct State {
    bool done = false;
    std::optional<T> value;
  };
  EventLoop& loop_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
  asio::cancellation_signal cancel_;
};

using Chunk = Result<std::optional<std::string>>;

class HttpClient : public ::testing::Test {
 protected:
  HttpClient() : acceptor(loop.io(), tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)) {}

  void serve(Handler handler, std::string_view address = "127.0.0.1:0") {
    server.emplace(loop.io(), ServerOptions{}, std::move(handler));
    const Result<std::string> bound = server->listen(address);
    ASSERT_TRUE(bound.has_value()) << bound.error().to_string();
    at = *bound;
  }

  static asio::awaitable<void> echo(Request& request, Responder& out) {
    Headers headers{{"x-method", request.method}, {"x-remote", request.peer.address}};
    for (const auto& [name, value] : request.headers) headers.add("echo-" + name, value);
    std::string body = request.body;
    co_await out.send(200, std::move(headers), std::move(body));
  }
  void serve_echo() {
    serve([](Request& request, Responder& out) { return echo(request, out); });
  }

  ClientRequest get(std::string_view path = "/") const {
    ClientRequest request;
    request.url = "http://" + at + std::string(path);
    return request;
  }

  /// A request to a server that the test plays itself.
  ClientRequest get_raw() {
    ClientRequest request;
    request.url =
        "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + "/x?key=secret";
    return request;
  }

  RawPeer accept() {
    std::optional<tcp::socket> socket;
    acceptor.async_accept([&socket](const boost::system::error_code& ec, tcp::socket fresh) {
      if (!ec) socket.emplace(std::move(fresh));
    });
    EXPECT_TRUE(loop.until([&socket] { return socket.has_value(); }));
    return RawPeer(loop, std::move(*socket));
  }

  Result<Response> fetch(ClientRequest request) {
    return loop.run(client->fetch(std::move(request)));
  }
  Pending<Result<Response>> fetching(ClientRequest request) {
    return Pending<Result<Response>>(loop, client->fetch(std::move(request)));
  }
  std::unique_ptr<Download> open(ClientRequest request) {
    auto opened = loop.run(client->open(std::move(request)));
    EXPECT_TRUE(opened.has_value());
    return opened ? std::move(*opened) : nullptr;
  }

  void TearDown() override {
    client.reset();
    if (server) loop.run(server->stop(0ms));
  }

  EventLoop loop;
  std::optional<Client> client{std::in_place, loop.io()};
  std::optional<Server> server;
  tcp::acceptor acceptor;
  std::string at;
};

constexpr std::string_view kHead = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n";

TEST_F(HttpClient, FetchesWithMethodHeadersAndBody) {
  serve_echo();
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE"}) {
    ClientRequest request = get("/a?b=c");
    request.method = method;
    request.body = std::string("a body\0with a zero", 18);
    request.headers = {{"X-Key", "value"}, {"X-Empty", ""}};

    const Result<Response> response = fetch(std::move(request));

    ASSERT_TRUE(response.has_value()) << response.error().to_string();
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->body, std::string("a body\0with a zero", 18));
    EXPECT_EQ(response->headers.get("x-method"), method);
    EXPECT_EQ(response->headers.get("echo-x-key"), "value");
    EXPECT_TRUE(response->headers.has("echo-x-empty"));
    EXPECT_FALSE(response->headers.has("echo-expect"));
    EXPECT_FALSE(response->headers.has("echo-content-type"));  // not claimed to be a form
  }
}

TEST_F(HttpClient, AnyStatusIsAnAnswer) {
  serve([](Request&, Responder& out) -> asio::awaitable<void> {
    Headers headers;
    std::string body = "slow down";
    co_await out.send(429, std::move(headers), std::move(body));
  });

  const Result<Response> response = fetch(get());

  ASSERT_TRUE(response.has_value());
  EXPECT_EQ(response->status, 429);
  EXPECT_EQ(response->body, "slow down");
}

TEST_F(HttpClient, ConnectionIsUsedAgain) {
  serve_echo();

  const Result<Response> first = fetch(get());
  const Result<Response> second = fetch(get());

  ASSERT_TRUE(first.has_value() && second.has_value());
  EXPECT_EQ(first->headers.get("x-remote"), second->headers.get("x-remote"));
}

TEST_F(HttpClient, ConnectionThatTheServerClosedMeanwhileIsReplaced) {
  auto first = fetching(get_raw());
  {
    RawPeer peer = accept();
    peer.read_through("\r\n\r\n");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1");
    ASSERT_TRUE(first.get().has_value());
  }
  auto second = fetching(get_raw());
  RawPeer peer = accept();
  peer.read_through("\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n2");

  const Result<Response> response = second.get();

  ASSERT_TRUE(response.has_value()) << response.error().to_string();
  EXPECT_EQ(response->body, "2");
}

TEST_F(HttpClient, ThousandFetchesAtOnceAllSucceed) {
  serve_echo();
  constexpr int kMany = 1000;
  std::vector<std::unique_ptr<Pending<Result<Response>>>> all;

  for (int i = 0; i < kMany; ++i) {
    ClientRequest request = get();
    request.method = "POST";
    request.body = std::to_string(i);
    all.push_back(
        std::make_unique<Pending<Result<Response>>>(loop, client->fetch(std::move(request))));
  }

  for (int i = 0; i < kMany; ++i) {
    const Result<Response> response = all[static_cast<std::size_t>(i)]->get();
    ASSERT_TRUE(response.has_value()) << response.error().to_string();
    EXPECT_EQ(response->body, std::to_string(i));
  }
}

TEST_F(HttpClient, SpeaksOverAUnixSocketEvenWhereAProxyIsSet) {
  const test::TempDir folder;
  const std::string path = (folder.path() / "socket").string();
  serve([](Request& request, Responder& out) { return echo(request, out); }, "unix:" + path);
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  ClientRequest request;
  request.url = "http://engine/health";
  request.unix_socket = path;

  const Result<Response> response = fetch(std::move(request));
  unsetenv("http_proxy");

  ASSERT_TRUE(response.has_value()) << response.error().to_string();
  EXPECT_EQ(response->headers.get("x-remote"), "unix");
}

TEST_F(HttpClient, ProxyOfTheEnvironmentIsUsedButNotForLoopback) {
  serve_echo();
  const std::string proxy = "http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
  setenv("http_proxy", proxy.c_str(), 1);

  const Result<Response> direct = fetch(get());
  ClientRequest far;
  far.url = "http://far.example/x";
  auto proxied = fetching(std::move(far));
  RawPeer peer = accept();
  const std::string asked = peer.read_through("\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  const Result<Response> response = proxied.get();
  unsetenv("http_proxy");

  EXPECT_TRUE(direct.has_value());
  EXPECT_TRUE(asked.starts_with("GET http://far.example/x HTTP/1.1\r\n")) << asked;
  EXPECT_TRUE(response.has_value());
}

TEST_F(HttpClient, RefusedConnectionIsUnavailableAndNamesTheHostOnly) {
  ClientRequest request;
  request.url = "http://user:password@127.0.0.1:1/path?key=secret";
  request.headers = {{"Authorization", "Bearer secret"}};

  const Result<Response> response = fetch(std::move(request));

  ASSERT_FALSE(response.has_value());
  const std::string text = response.error().to_string();
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable) << text;
  EXPECT_NE(text.find("127.0.0.1:1"), std::string::npos) << text;
  EXPECT_EQ(text.find("secret"), std::string::npos) << text;
  EXPECT_EQ(text.find("password"), std::string::npos) << text;
}

TEST_F(HttpClient, UnixSocketThatIsNotThereIsUnavailable) {
  ClientRequest request;
  request.url = "http://engine/";
  request.unix_socket = "/nonexistent/socket";

  const Result<Response> response = fetch(std::move(request));

  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
}

TEST_F(HttpClient, NothingIsSentToAnotherUsersSocket) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can listen as another user";
  constexpr uid_t kAnother = 12'345;
  const test::TempDir folder;
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  const std::string path = (folder.path() / "socket").string();
  bool asked = false;
  ASSERT_EQ(::seteuid(kAnother), 0);
  serve(
      [&asked](Request& request, Responder& out) {
        asked = true;
        return echo(request, out);
      },
      "unix:" + path);
  ASSERT_EQ(::seteuid(0), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0777), 0);
  ClientRequest request;
  request.url = "http://localhost/";
  request.unix_socket = path;

  const Result<Response> response = fetch(std::move(request));

  EXPECT_FALSE(asked);
  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, ErrorCode::kForbidden) << response.error().to_string();
}

TEST_F(HttpClient, OnlyHttpIsSpoken) {
  for (const char* url :
       {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "", "http://"}) {
    ClientRequest request;
    request.url = url;

    const Result<Response> response = fetch(std::move(request));

    ASSERT_FALSE(response.has_value()) << url;
    EXPECT_EQ(response.error().code, ErrorCode::kInvalidArgument)
        << url << response.error().message;
  }
}

TEST_F(HttpClient, LineBreaksAreRefusedWhereverTheyStand) {
  std::vector<ClientRequest> bad(5, get_raw());
  bad[0].headers = {{"X", "a\r\nY: b"}};
  bad[1].headers = {{"X: a\r\nY", "b"}};
  bad[2].url += "\r\nX: y";
  bad[3].method = "GET / HTTP/1.1\r\nX: y\r\n\r\nGET";
  bad[4].headers = {{"X", std::string("a\0b", 3)}};

  for (ClientRequest& request : bad) {
    const Result<Response> response = fetch(std::move(request));
    ASSERT_FALSE(response.has_value());
    EXPECT_EQ(response.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST_F(HttpClient, SilenceOverTheIdleTimeoutIsATimeout) {
  ClientRequest before_head = get_raw();
  before_head.idle_timeout = 50ms;
  ClientRequest within_body = before_head;

  auto first = fetching(std::move(before_head));
  RawPeer silent = accept();
  const Result<Response> nothing = first.get();
  auto second = fetching(std::move(within_body));
  RawPeer halting = accept();
  halting.send(std::string(kHead) + "half");
  const Result<Response> half = second.get();

  ASSERT_FALSE(nothing.has_value());
  EXPECT_EQ(nothing.error().code, ErrorCode::kTimeout);
  EXPECT_EQ(nothing.error().message.find("secret"), std::string::npos);
  ASSERT_FALSE(half.has_value());
  EXPECT_EQ(half.error().code, ErrorCode::kTimeout);
}

TEST_F(HttpClient, TotalTimeoutEndsATransferThatNeverPauses) {
  serve([](Request&, Responder& out) -> asio::awaitable<void> {
    const std::string chunk(1000, 'x');
    Headers headers;
    co_await out.start(200, std::move(headers));
    while (true) {
      const Result<> written = co_await out.write(chunk);
      if (!written) co_return;
    }
  });
  ClientRequest request = get();
  request.total_timeout = 30ms;
  std::unique_ptr<Download> download = open(std::move(request));

  Chunk chunk = std::optional<std::string>("");
  while (chunk && *chunk) chunk = loop.run(download->read());

  ASSERT_FALSE(chunk.has_value());
  EXPECT_EQ(chunk.error().code, ErrorCode::kTimeout);
}

TEST_F(HttpClient, BrokenTransfersAreTheUpstreamsFault) {
  const std::vector<std::string> answers{
      std::string(kHead) + "half",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab",
      "HTTP/1.1 200 OK\r\nContent-Le",
      "",
      "complete garbage\r\n\r\n",
      "HTTP/1.1 200 OK\r\nX: " + std::string(400'000, 'x') + "\r\n\r\n"};

  for (const std::string& answer : answers) {
    auto pending = fetching(get_raw());
    {
      RawPeer peer = accept();
      peer.read_through("\r\n\r\n");
      peer.send(answer);
    }
    const Result<Response> response = pending.get();
    ASSERT_FALSE(response.has_value()) << answer.substr(0, 100);
    EXPECT_EQ(response.error().code, ErrorCode::kUpstream) << answer.substr(0, 100);
  }
}

TEST_F(HttpClient, InterimAnswersAndTrailersAreReadOver) {
  auto pending = fetching(get_raw());
  RawPeer peer = accept();
  peer.read_through("\r\n\r\n");

  peer.send(
      "HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"
      "HTTP/1.1 200 OK\r\nX-Real:  1 \r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\nok\r\n0\r\nX-Late: 1\r\n\r\n");
  const Result<Response> response = pending.get();

  ASSERT_TRUE(response.has_value()) << response.error().to_string();
  EXPECT_EQ(response->body, "ok");
  EXPECT_EQ(response->headers.get("X-Real"), "1");
  EXPECT_FALSE(response->headers.has("X-Early"));
  EXPECT_FALSE(response->headers.has("X-Late"));
}

TEST_F(HttpClient, RedirectIsFollowedOnlyWhereAsked) {
  serve([](Request& request, Responder& out) -> asio::awaitable<void> {
    const bool moved = request.path == "/old";
    Headers headers;
    if (moved) headers.add("location", "/new");
    std::string body = request.path;
    co_await out.send(moved ? 302 : 200, std::move(headers), std::move(body));
  });
  ClientRequest following = get("/old");
  following.follow_redirects = true;

  const Result<Response> plain = fetch(get("/old"));
  const Result<Response> followed = fetch(std::move(following));

  ASSERT_TRUE(plain.has_value() && followed.has_value());
  EXPECT_EQ(plain->status, 302);
  EXPECT_EQ(followed->status, 200);
  EXPECT_EQ(followed->body, "/new");
}

TEST_F(HttpClient, RedirectCannotLeaveHttp) {
  serve([](Request&, Responder& out) -> asio::awaitable<void> {
    Headers headers{{"location", "file:///etc/passwd"}};
    std::string body;
    co_await out.send(302, std::move(headers), std::move(body));
  });
  ClientRequest request = get();
  request.follow_redirects = true;

  EXPECT_FALSE(fetch(std::move(request)).has_value());
}

TEST_F(HttpClient, CancelledFetchClosesItsConnectionAtOnce) {
  auto pending = fetching(get_raw());
  RawPeer peer = accept();
  peer.read_through("\r\n\r\n");

  pending.cancel();

  EXPECT_TRUE(peer.ended());
  EXPECT_TRUE(loop.until([&] { return pending.is_done(); }));
}

/// A listener whose queue is full: connecting to it neither succeeds nor fails.
class FullListener {
 public:
  explicit FullListener(EventLoop& loop) : listener_(loop.io()) {
    listener_.open(tcp::v4());
    listener_.bind({asio::ip::make_address("127.0.0.1"), 0});
    listener_.listen(0);
    for (int i = 0; i < kQueue; ++i) {
      queued_.emplace_back(loop.io(), tcp::v4());
      queued_.back().native_non_blocking(true);
      const tcp::endpoint at = listener_.local_endpoint();  // asio's own connect() would wait
      (void)::connect(queued_.back().native_handle(), at.data(), static_cast<socklen_t>(at.size()));
    }
  }
  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(listener_.local_endpoint().port()) + "/";
  }

 private:
  static constexpr int kQueue = 3;  // one that Linux queues beyond the limit, and one to spare
  tcp::acceptor listener_;
  std::vector<tcp::socket> queued_;
};

/// More than there are: whichever descriptor number the one that was given up had is used again.
constexpr int kFetchesAtOnce = 4;

TEST_F(HttpClient, FetchCancelledWhileConnectingHarmsNoLaterOne) {
  serve_echo();
  FullListener full(loop);
  ClientRequest hanging;
  hanging.url = full.url();
  auto given_up = fetching(std::move(hanging));
  loop.run(asio::steady_timer(loop.io(), 20ms).async_wait(asio::use_awaitable));
  given_up.cancel();
  EXPECT_FALSE(given_up.get().has_value());

  const auto before = std::chrono::steady_clock::now();
  std::vector<std::unique_ptr<Pending<Result<Response>>>> later;
  for (int i = 0; i < kFetchesAtOnce; ++i) {
    later.push_back(std::make_unique<Pending<Result<Response>>>(loop, client->fetch(get())));
  }

  for (auto& fetch : later) EXPECT_TRUE(fetch->get().has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - before, get().connect_timeout / 2);
}

TEST_F(HttpClient, ConnectTimeoutHarmsNoLaterFetch) {
  serve_echo();
  FullListener full(loop);
  ClientRequest hanging;
  hanging.url = full.url();
  hanging.connect_timeout = 30ms;
  const Result<Response> timed_out = fetch(std::move(hanging));
  ASSERT_FALSE(timed_out.has_value());

  const auto before = std::chrono::steady_clock::now();
  std::vector<std::unique_ptr<Pending<Result<Response>>>> later;
  for (int i = 0; i < kFetchesAtOnce; ++i) {
    later.push_back(std::make_unique<Pending<Result<Response>>>(loop, client->fetch(get())));
  }

  for (auto& fetch : later) EXPECT_TRUE(fetch->get().has_value());
  EXPECT_LT(std::chrono::steady_clock::now() - before, get().connect_timeout / 2);
}

TEST_F(HttpClient, DownloadGivesChunksAsTheyCome) {
  auto opening = Pending<Result<std::unique_ptr<Download>>>(loop, client->open(get_raw()));
  RawPeer peer = accept();
  peer.read_through("\r\n\r\n");

  peer.send(kHead);
  Result<std::unique_ptr<Download>> download = opening.get();
  ASSERT_TRUE(download.has_value());
  EXPECT_EQ((*download)->status(), 200);
  EXPECT_EQ((*download)->headers().get("content-length"), "10");
  peer.send("first");
  const Chunk first = loop.run((*download)->read());
  peer.send("other");
  const Chunk second = loop.run((*download)->read());
  const Chunk end = loop.run((*download)->read());

  EXPECT_EQ(first.value(), "first");
  EXPECT_EQ(second.value(), "other");
  EXPECT_EQ(end.value(), std::nullopt);
}

TEST_F(HttpClient, DownloadThatBreaksOffGivesWhatCameThenTheError) {
  auto opening = Pending<Result<std::unique_ptr<Download>>>(loop, client->open(get_raw()));
  Result<std::unique_ptr<Download>> download;
  {
    RawPeer peer = accept();
    peer.read_through("\r\n\r\n");
    peer.send(std::string(kHead) + "half");
    download = opening.get();
  }
  ASSERT_TRUE(download.has_value());

  const Chunk first = loop.run((*download)->read());
  const Chunk second = loop.run((*download)->read());

  EXPECT_EQ(first.value(), "half");
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kUpstream);
}

TEST_F(HttpClient, DownloadThatIsDroppedClosesItsConnection) {
  auto opening = Pending<Result<std::unique_ptr<Download>>>(loop, client->open(get_raw()));
  RawPeer peer = accept();
  peer.read_through("\r\n\r\n");
  peer.send(kHead);
  Result<std::unique_ptr<Download>> download = opening.get();
  ASSERT_TRUE(download.has_value());

  download->reset();

  EXPECT_TRUE(peer.ended());
}

TEST_F(HttpClient, DownloadThatNobodyReadsHoldsTheServerBackAndArrivesWhole) {
  constexpr std::size_t kBytes = std::size_t{64} << 20;
  std::size_t written = 0;
  bool stalled = false;
  asio::steady_timer patience(loop.io());
  serve([&](Request&, Responder& out) -> asio::awaitable<void> {
    Headers headers;
    co_await out.start(200, std::move(headers));
    std::string chunk(64 << 10, 'x');
    while (written < kBytes) {
      const Result<> sent = co_await out.write(chunk);
      if (!sent) co_return;
      written += chunk.size();
      // Whoever has written nothing for so long is held back.
      patience.expires_after(300ms);
      patience.async_wait([&](const boost::system::error_code& ec) {
        if (!ec) stalled = true;  // cancelled, it may run after the test has returned
      });
    }
    co_await out.finish();
  });

  std::unique_ptr<Download> download = open(get());
  ASSERT_TRUE(loop.until([&] { return stalled; }));
  EXPECT_LT(written, kBytes);
  std::size_t read = 0;
  std::size_t largest = 0;
  while (true) {
    Chunk chunk = loop.run(download->read());
    ASSERT_TRUE(chunk.has_value()) << chunk.error().to_string();
    if (!*chunk) break;
    read += (*chunk)->size();
    largest = std::max(largest, (*chunk)->size());
  }

  EXPECT_EQ(read, kBytes);
  EXPECT_LE(largest, Client::kMaxBufferedBytes);
}

TEST_F(HttpClient, ReadAllStopsAtItsLimit) {
  serve([](Request&, Responder& out) -> asio::awaitable<void> {
    Headers headers;
    std::string body(1000, 'x');
    co_await out.send(200, std::move(headers), std::move(body));
  });
  std::unique_ptr<Download> fits = open(get());
  std::unique_ptr<Download> does_not = open(get());

  const Result<std::string> whole = loop.run(read_all(*fits, 1000));
  const Result<std::string> cut = loop.run(read_all(*does_not, 999));

  EXPECT_EQ(whole.value().size(), 1000U);
  ASSERT_FALSE(cut.has_value());
  EXPECT_EQ(cut.error().code, ErrorCode::kTooLarge);
}

TEST_F(HttpClient, ClientThatEndsCancelsWhatIsUnderWay) {
  auto opening = Pending<Result<std::unique_ptr<Download>>>(loop, client->open(get_raw()));
  RawPeer peer = accept();
  peer.read_through("\r\n\r\n");
  peer.send(kHead);
  Result<std::unique_ptr<Download>> download = opening.get();
  ASSERT_TRUE(download.has_value());
  auto pending = fetching(get_raw());
  RawPeer other = accept();
  other.read_through("\r\n\r\n");

  client.reset();
  const Result<Response> response = pending.get();
  const Chunk chunk = loop.run((*download)->read());

  ASSERT_FALSE(response.has_value());
  EXPECT_EQ(response.error().code, ErrorCode::kCancelled);
  ASSERT_FALSE(chunk.has_value());
  EXPECT_EQ(chunk.error().code, ErrorCode::kCancelled);
  EXPECT_TRUE(peer.ended());
  EXPECT_TRUE(other.ended());
}

TEST_F(HttpClient, ServersHandlerIsCancelledWhenAProxiedClientLeaves) {
  Client upstream_client(loop.io());
  ClientRequest upstream = get_raw();
  serve([&](Request&, Responder& out) -> asio::awaitable<void> {
    ClientRequest request = upstream;
    Result<Response> response = co_await upstream_client.fetch(std::move(request));
    Headers headers;
    std::string body = response ? response->body : response.error().message;
    co_await out.send(200, std::move(headers), std::move(body));
  });
  RawPeer asking(loop, at);
  asking.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  RawPeer peer = accept();
  peer.read_through("\r\n\r\n");

  asking.close();

  EXPECT_TRUE(peer.ended());
}

}  // namespace
}  // namespace minimill::http
