#pragma once

// One connection of the Server: requests read one after the other, each answered before the next.
//
// There is always at most one read under way. While a handler runs it stays pending, so that a
// client who leaves is noticed at once; what it brings of the next request is kept for it. A client
// that only closes its sending side while it waits for an answer counts as gone, too.
//
// Time-outs are a deadline that the server's sweep looks at, not a timer per operation.

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <memory>
#include <optional>

#include "http/byte_budget.h"
#include "http/server.h"

namespace minimill::http {

using StreamSocket = asio::generic::stream_protocol::socket;

/// What the connections of one server share.
struct ConnectionContext {
  explicit ConnectionContext(ServerOptions given)
      : options(std::move(given)),
        held_bytes(options.max_held_bytes, options.max_held_bytes_per_peer) {}

  ServerOptions options;
  ByteBudget held_bytes;
  Handler handler;
  ErrorBody error_body;
  std::vector<std::string> own_hosts;  // the addresses bound, as Host names
  bool stopping = false;
};

class Connection final : public std::enable_shared_from_this<Connection>, private Responder {
 public:
  Connection(StreamSocket socket, Peer peer, std::shared_ptr<ConnectionContext> context);
  ~Connection() override;

  /// Serves until the connection ends; then calls `ended`.
  void start(std::function<void()> ended);

  /// Closes it if its deadline has passed.
  void check_deadline(std::chrono::steady_clock::time_point now);
  /// No further request: closes at once if none is being answered.
  void finish_up();
  /// Cancels the handler and closes.
  void abort();

 private:
  using Parser = boost::beast::http::request_parser<boost::beast::http::string_body>;

  /// Why a request is not answered.
  struct Refusal {
    int status = 0;
    std::string message;
  };

  asio::awaitable<void> serve();
  asio::awaitable<bool> read_request();
  void begin_request();
  std::optional<Refusal> parse();
  bool take_target();
  std::optional<Refusal> check_head();
  bool host_is_ours(std::string_view field) const;
  Request take_request();
  asio::awaitable<bool> answer();
  asio::awaitable<bool> reject(int status, std::string_view message);
  asio::awaitable<void> linger();
  void arm_read();
  void data_came(const boost::system::error_code& ec, std::size_t bytes);
  asio::awaitable<void> more_data();
  void close();
  void set_deadline(std::chrono::milliseconds timeout);
  void clear_deadline();

  // Responder
  asio::awaitable<Result<>> send(int status, Headers headers, std::string body) override;
  asio::awaitable<Result<>> start(int status, Headers headers) override;
  asio::awaitable<Result<>> write(std::string_view bytes) override;
  asio::awaitable<Result<>> finish() override;
  bool started() const override { return started_; }

  asio::awaitable<Result<>> write_buffers(std::string_view first, std::string_view second,
                                          std::string_view third);
  void begin_head(int status, const Headers& headers);
  bool has_body() const { return !head_only_ && !bodiless_; }

  StreamSocket socket_;
  Peer peer_;
  std::shared_ptr<ConnectionContext> context_;
  ByteBudget::Share held_;  // of the request read or answered, and of its answer
  asio::steady_timer data_event_;
  asio::cancellation_signal cancel_;
  std::vector<char> chunk_;  // what the read under way writes into
  std::string buffer_;       // what has been read and not parsed yet
  std::chrono::steady_clock::time_point deadline_;
  bool read_pending_ = false;
  bool read_ended_ = false;  // the client closed its side, or the connection broke
  bool answering_ = false;
  bool rejected_ = false;
  bool served_one_ = false;
  bool closed_ = false;

  // of the request being read, or answered
  std::size_t received_ = 0;  // bytes
  std::optional<Parser> parser_;
  std::string path_;
  std::string_view query_;  // in the parser's message
  std::string head_;        // of the answer; while streaming, what goes before the next chunk
  bool head_only_ = false;  // a HEAD request
  bool bodiless_ = false;   // a status that has none
  bool keep_alive_ = false;
  bool chunked_ = false;
  bool started_ = false;
  bool finished_ = false;
};

}  // namespace minimill::http
