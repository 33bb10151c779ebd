#pragma once

// The way out: libcurl's multi interface on our event loop (curl_multi_socket_action), so that
// proxies, TLS, HTTP/2 and connection reuse are curl's.
//
//   Client client(io);
//   Result<Response> r = co_await client.fetch({.method = "GET", .url = "https://…"});
//
//   Result<std::unique_ptr<Download>> d = co_await client.open(request);   // after the headers
//   while (true) {
//     Result<std::optional<std::string>> chunk = co_await (*d)->read();    // nullopt: the end
//     …
//   }
//
// A Download that is destroyed cancels its transfer and closes the connection. A coroutine
// cancelled in fetch(), open() or read() cancels too. While nobody reads, curl is paused after
// kMaxBufferedBytes. Event-loop thread only. Kept connections leave work pending on the loop: a
// program that is done with it stops it, or runs it only until its own result is there.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/error.h"
#include "http/message.h"

namespace minimill::http {

namespace asio = boost::asio;

struct ClientRequest {
  std::string method = "GET";
  std::string url;
  /// Path; empty for TCP. Nothing is sent to another user's server there: kForbidden.
  std::string unix_socket;
  Headers headers;
  std::string body;
  std::chrono::milliseconds connect_timeout{10'000};
  /// Longest silence: with nothing received for this long the transfer fails with kTimeout.
  std::chrono::milliseconds idle_timeout{120'000};
  /// Longest whole transfer; 0: unlimited.
  std::chrono::milliseconds total_timeout{0};
  bool follow_redirects = false;
  bool direct = false;  // never through a proxy, whatever the environment says
  std::string ca_file;  // empty: the system's
};

struct Response {
  int status = 0;
  Headers headers;
  std::string body;
};

/// Time-outs, refused connections, and broken transfers are errors (kTimeout, kUnavailable,
/// kUpstream, kCancelled); any HTTP status is a Response.
class Download {
 public:
  virtual ~Download() = default;
  virtual int status() const = 0;
  virtual const Headers& headers() const = 0;
  /// The next bytes, as they arrive, never empty; nullopt at the end of the body.
  virtual asio::awaitable<Result<std::optional<std::string>>> read() = 0;
};

/// The rest of a download's body; kTooLarge past `max_bytes`.
asio::awaitable<Result<std::string>> read_all(Download& download, std::size_t max_bytes);

class Client {
 public:
  static constexpr std::size_t kMaxBufferedBytes = 256 << 10;
  static constexpr std::size_t kMaxResponseBytes = std::size_t{64} << 20;

  explicit Client(asio::io_context& io);
  ~Client();  // cancels whatever is under way
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// A whole response; bodies over kMaxResponseBytes are kTooLarge.
  asio::awaitable<Result<Response>> fetch(ClientRequest request);
  asio::awaitable<Result<std::unique_ptr<Download>>> open(ClientRequest request);

  struct Impl;  // curl's side of it

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace minimill::http
