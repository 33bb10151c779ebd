#pragma once

// An HTTP/1.1 server: Boost.Beast on one event loop, a coroutine per connection.
//
//   Server server(io, options, [&](Request& request, Responder& out) -> asio::awaitable<void> {
//     co_await out.send(200, {{"content-type", "text/plain"}}, "hello");
//   });
//   Result<Address> at = server.listen("127.0.0.1:4177");
//   …
//   co_await server.stop(5s);
//
// What it does by itself: keep-alive, body and header limits, time-outs, the Host check,
// TCP_NODELAY, a read that stays pending beside every writer so that a client who goes away is
// noticed at once (the handler is then cancelled by asio's terminal cancellation), graceful stop.
// Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "http/message.h"

namespace minimill::http {

namespace asio = boost::asio;

struct ServerOptions {
  std::size_t max_body_bytes = std::size_t{32} << 20;
  std::size_t max_header_bytes = 32 << 10;
  std::size_t max_connections = 4096;
  /// Of them, those that only a Unix socket may take: whoever fills the rest does not lock out the
  /// machine's owner.
  std::size_t kept_for_unix = 32;
  /// Of requests' bodies and answers, in all connections and in one peer's; 503 beyond.
  std::size_t max_held_bytes = std::size_t{128} << 20;
  std::size_t max_held_bytes_per_peer = std::size_t{96} << 20;
  std::chrono::milliseconds header_timeout{10'000};  // from first byte wanted to last header byte
  std::chrono::milliseconds body_timeout{60'000};
  std::chrono::milliseconds write_timeout{60'000};  // for a reader that takes nothing
  std::chrono::milliseconds idle_timeout{75'000};   // between requests of a kept connection
  /// Host header values accepted besides loopback names and the bound address (DNS rebinding).
  /// Empty list and `check_host` true: loopback names only.
  bool check_host = true;
  std::vector<std::string> allowed_hosts;
};

/// Who is at a connection's other end.
struct Peer {
  std::string address;  // "127.0.0.1:51234", or "unix"
  /// Of a Unix socket's other end, as the kernel says.
  std::optional<std::uint32_t> uid;
  int pid = 0;  // 0: not known
};

struct Request {
  std::string method;  // "POST"
  std::string path;    // decoded, without the query: "/v1/models/a b"
  std::string query;   // raw, without '?'
  Headers headers;
  std::string body;
  Peer peer;
  // Once somebody has found out:
  std::string principal;  // who asks
  bool is_owner = false;  // it is the machine's owner, and no single app
};

/// The value of `key` in a raw query string, percent-decoded; "" where absent.
std::string query_value(std::string_view query, std::string_view key);

/// One answer to one request. Either send() once, or start(), write()s and finish().
/// A failed call means that the client is gone: the handler should return.
class Responder {
 public:
  virtual ~Responder() = default;
  /// A whole response with Content-Length.
  virtual asio::awaitable<Result<>> send(int status, Headers headers, std::string body) = 0;
  /// Status and headers of a streamed response (chunked). Flushed with the first write.
  virtual asio::awaitable<Result<>> start(int status, Headers headers) = 0;
  /// Returns when the bytes are handed to the kernel: back-pressure.
  virtual asio::awaitable<Result<>> write(std::string_view bytes) = 0;
  virtual asio::awaitable<Result<>> finish() = 0;
  /// True once send() or start() has been called.
  virtual bool started() const = 0;
};

using Handler = std::function<asio::awaitable<void>(Request&, Responder&)>;
/// Writes the body of an error the server itself answers (bad framing, too large, wrong Host), in
/// the protocol of `path`, so that clients can read it: (status, message, path) -> JSON.
using ErrorBody =
    std::function<std::string(int status, std::string_view message, std::string_view path)>;

class Server {
 public:
  Server(asio::io_context& io, ServerOptions options, Handler handler, ErrorBody error_body = {});
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// "127.0.0.1:4177", "[::1]:0", or "unix:/path". Port 0 takes any free one. Returns the address
  /// in the same form with the real port. May be called more than once for several addresses. An
  /// occupied port is kConflict, with who to ask in the hint.
  Result<std::string> listen(std::string_view address);

  /// Accepts no more, lets running handlers finish for at most `grace`, then cancels them.
  asio::awaitable<void> stop(std::chrono::milliseconds grace);

  std::size_t connections() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace minimill::http
