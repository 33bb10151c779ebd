#include "http/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <boost/beast/http/status.hpp>
#include <exception>
#include <utility>

#include "async/loop_watch.h"
#include "base/log.h"
#include "http/host.h"
#include "http/url_query.h"

namespace minimill::http {
namespace {

namespace beast = boost::beast;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 8 << 10;
constexpr std::size_t kMaxPipelinedBytes = 64 << 10;  // read ahead while a request is answered
constexpr std::size_t kMaxWriteBytes = 256 << 10;     // in one system call
constexpr std::size_t kMaxLingerBytes = 4 << 20;      // read and dropped after a refusal
constexpr std::chrono::milliseconds kMaxLinger{2'000};

constexpr std::string_view kNothing;

constexpr int kBadRequest = 400;
constexpr int kForbidden = 403;
constexpr int kTooLarge = 413;
constexpr int kHeaderTooLarge = 431;
constexpr int kInternalError = 500;
constexpr int kUnavailable = 503;

constexpr unsigned kHttp10 = 10;
constexpr unsigned kHttp11 = 11;

/// These say how a message is framed, which is the connection's business and not the handler's.
bool is_framing(std::string_view name) {
  return iequals(name, "content-length") || iequals(name, "transfer-encoding") ||
         iequals(name, "connection") || iequals(name, "keep-alive");
}

/// A field from outside must not begin a line of its own.
void append_line(std::string& head, std::string_view name, std::string_view value) {
  const auto append = [&head](std::string_view text) {
    const std::size_t from = head.size();
    head += text;
    std::replace_if(
        head.begin() + static_cast<std::ptrdiff_t>(from), head.end(),
        [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
  };
  append(name);
  head += ": ";
  append(value);
  head += "\r\n";
}

/// Whose connections count together: a machine's; on this one, a user's Unix sockets.
std::string peer_name(const Peer& peer) {
  if (peer.uid) return fmt::format("uid {}", *peer.uid);
  return peer.address.substr(0, peer.address.rfind(':'));
}

std::pair<int, std::string> parse_failure(const beast::error_code& ec) {
  if (ec == beast::http::error::body_limit) {
    return {kTooLarge, "the request's body is too large"};
  }
  if (ec == beast::http::error::header_limit) {
    return {kHeaderTooLarge, "the request's headers are too large"};
  }
  return {kBadRequest, fmt::format("not a valid HTTP request: {}", ec.message())};
}

}  // namespace

Connection::Connection(StreamSocket socket, Peer peer, std::shared_ptr<ConnectionContext> context)
    : socket_(std::move(socket)),
      peer_(std::move(peer)),
      context_(std::move(context)),
      held_(context_->held_bytes, peer_name(peer_)),
      data_event_(socket_.get_executor(), Clock::time_point::max()),
      chunk_(kReadBytes) {
  clear_deadline();
}

Connection::~Connection() = default;

void Connection::start(std::function<void()> ended) {
  auto done = [self = shared_from_this(), ended = std::move(ended)](const std::exception_ptr&) {
    self->close();  // a cancelled handler unwinds to here
    ended();
  };
  asio::co_spawn(socket_.get_executor(), serve(),
                 asio::bind_cancellation_slot(cancel_.slot(), std::move(done)));
}

void Connection::set_deadline(std::chrono::milliseconds timeout) {
  deadline_ = Clock::now() + timeout;
}

void Connection::clear_deadline() { deadline_ = Clock::time_point::max(); }

void Connection::check_deadline(Clock::time_point now) {
  if (now >= deadline_) abort();
}

void Connection::finish_up() {
  if (!answering_) close();
}

void Connection::abort() {
  cancel_.emit(asio::cancellation_type::terminal);
  close();
}

void Connection::close() {
  if (std::exchange(closed_, true)) return;
  beast::error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_both, ignored);
  socket_.close(ignored);
  data_event_.cancel();
}

void Connection::arm_read() {
  if (read_pending_ || read_ended_ || closed_) return;
  read_pending_ = true;
  auto done = [self = shared_from_this()](const beast::error_code& ec, std::size_t bytes) {
    self->data_came(ec, bytes);
  };
  socket_.async_read_some(asio::buffer(chunk_), std::move(done));
}

void Connection::data_came(const boost::system::error_code& ec, std::size_t bytes) {
  read_pending_ = false;
  buffer_.append(chunk_.data(), bytes);
  received_ += bytes;
  if (ec) read_ended_ = true;
  if (!answering_) {
    data_event_.cancel();
  } else if (read_ended_) {
    abort();  // nobody is there to read the answer
  } else if (buffer_.size() < kMaxPipelinedBytes) {
    arm_read();
  }
}

asio::awaitable<void> Connection::more_data() {
  arm_read();
  if (!read_pending_) co_return;
  co_await data_event_.async_wait(asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<void> Connection::serve() {
  while (!closed_) {
    const bool read = co_await read_request();
    if (!read) break;
    clear_deadline();
    const bool go_on = co_await answer();
    if (!go_on || context_->stopping) break;
    served_one_ = true;
  }
  if (rejected_ && !closed_) co_await linger();
}

void Connection::begin_request() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(context_->options.max_header_bytes));
  parser_->body_limit(context_->options.max_body_bytes);
  started_ = finished_ = chunked_ = head_only_ = bodiless_ = keep_alive_ = false;
  received_ = buffer_.size();
  path_.clear();
  query_ = {};
}

/// False when the connection is to be closed.
asio::awaitable<bool> Connection::read_request() {
  begin_request();
  const ServerOptions& options = context_->options;
  bool idle = served_one_ && buffer_.empty();
  set_deadline(idle ? options.idle_timeout : options.header_timeout);
  bool head_checked = false;
  while (true) {
    if (!held_.hold(received_)) {
      co_return co_await reject(kUnavailable,
                                "more is being sent than fits; try again in a moment");
    }
    if (const std::optional<Refusal> why = parse()) {
      co_return co_await reject(why->status, why->message);
    }
    if (parser_->is_header_done() && !head_checked) {
      head_checked = true;
      if (const std::optional<Refusal> why = check_head()) {
        co_return co_await reject(why->status, why->message);
      }
      parser_->eager(true);
      set_deadline(options.body_timeout);
      const std::string_view expect(parser_->get()[beast::http::field::expect]);
      if (buffer_.empty() && !parser_->is_done() && iequals(expect, "100-continue")) {
        const Result<> sent =
            co_await write_buffers("HTTP/1.1 100 Continue\r\n\r\n", kNothing, kNothing);
        if (!sent) co_return false;
      }
      continue;
    }
    if (parser_->is_done()) co_return true;
    if (read_ended_) co_return false;
    co_await more_data();
    if (closed_) co_return false;
    if (std::exchange(idle, false)) set_deadline(options.header_timeout);
  }
}

/// As far as the bytes go, but no further than the end of the head or of the message.
std::optional<Connection::Refusal> Connection::parse() {
  const bool in_head = !parser_->is_header_done();
  while (!buffer_.empty() && !parser_->is_done()) {
    beast::error_code ec;
    const std::size_t used = parser_->put(asio::buffer(buffer_), ec);
    buffer_.erase(0, used);
    if (ec == beast::http::error::need_more) break;
    if (ec) {
      take_target();  // the answer's shape depends on it
      auto [status, message] = parse_failure(ec);
      return Refusal{status, std::move(message)};
    }
    if (in_head && parser_->is_header_done()) break;
  }
  return std::nullopt;
}

bool Connection::host_is_ours(std::string_view field) const {
  const std::string_view host = without_port(field);
  const auto named = [host, field](const std::string& name) {
    return iequals(host, name) || iequals(field, name);
  };
  return is_loopback_name(host) || std::ranges::any_of(context_->own_hosts, named) ||
         std::ranges::any_of(context_->options.allowed_hosts, named);
}

bool Connection::take_target() {
  const std::string_view target(parser_->get().target());
  const std::size_t mark = target.find('?');
  std::optional<std::string> path = percent_decoded(target.substr(0, mark));
  if (!path || !path->starts_with('/')) return false;
  path_ = std::move(*path);
  if (mark != std::string_view::npos) query_ = target.substr(mark + 1);
  return true;
}

/// What the parser lets through and we do not. Before the body, so that nobody sends it in vain.
std::optional<Connection::Refusal> Connection::check_head() {
  using beast::http::field;
  const Parser::value_type& message = parser_->get();
  keep_alive_ = message.keep_alive();
  head_only_ = message.method() == beast::http::verb::head;

  if (!take_target()) return Refusal{kBadRequest, "not a valid request target"};
  // Whatever is read in two ways can carry a second request past a proxy (RFC 9112, section 11.2).
  const auto encodings = message.count(field::transfer_encoding);
  const std::string_view encoding(message[field::transfer_encoding]);
  const bool plainly_chunked =
      encodings == 1 && iequals(encoding, "chunked") && message.version() == kHttp11;
  if ((encodings > 0 && !plainly_chunked) || message.count(field::content_length) > 1) {
    return Refusal{kBadRequest, "the request's length is ambiguous"};
  }
  if (encodings > 0 && message.count(field::content_length) > 0) {
    return Refusal{kBadRequest, "the request's length is given twice"};
  }
  const auto hosts = message.count(field::host);
  if (hosts > 1 || (hosts == 0 && message.version() == kHttp11)) {
    return Refusal{kBadRequest, "a request has one Host header"};
  }
  const std::string_view host(message[field::host]);
  if (context_->options.check_host && !peer_.uid && !host_is_ours(host)) {
    constexpr std::size_t kShown = 100;
    return Refusal{kForbidden, fmt::format("the Host header '{}' is not one minimill answers to",
                                           host.substr(0, kShown))};
  }
  return std::nullopt;
}

asio::awaitable<bool> Connection::reject(int status, std::string_view message) {
  keep_alive_ = false;
  rejected_ = true;
  Headers headers{{"content-type", "application/json"}};
  if (status == kUnavailable) headers.add("retry-after", "1");
  std::string body = context_->error_body(status, message, path_);
  const Result<> sent = co_await send(status, std::move(headers), std::move(body));
  (void)sent;  // closed either way
  co_return false;
}

/// Reads on for a little while after a refusal: to close with unread bytes would reset the
/// connection, and the client might lose the very answer that says why.
asio::awaitable<void> Connection::linger() {
  beast::error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  set_deadline(kMaxLinger);
  std::size_t dropped = 0;
  while (!read_ended_ && !closed_ && dropped < kMaxLingerBytes) {
    dropped += buffer_.size();
    buffer_.clear();
    co_await more_data();
  }
}

Request Connection::take_request() {
  Parser::value_type& message = parser_->get();
  Request request;
  request.method = head_only_ ? "GET" : std::string(message.method_string());
  request.path = path_;
  request.query = query_;
  for (const auto& field : message) {
    request.headers.add(std::string(field.name_string()), std::string(field.value()));
  }
  request.body = std::move(message.body());
  request.peer = peer_;
  return request;
}

/// Runs the handler. False when the connection is to be closed.
asio::awaitable<bool> Connection::answer() {
  Request request = take_request();
  answering_ = true;
  arm_read();
  async::LoopWatch::doing(request.method, request.path);
  bool failed = false;
  try {
    co_await context_->handler(request, *this);
  } catch (const std::exception& error) {  // a bug of a handler's, or its cancellation
    failed = true;
    if (!closed_) log::error("{} {}: {}", request.method, request.path, error.what());
  }
  answering_ = false;
  held_.release();
  if (closed_) co_return false;
  if (!started_) {
    const std::string_view why = failed ? "an internal error" : "the handler gave no answer";
    co_return co_await reject(kInternalError, why);
  }
  // A streamed answer that was not finished can only be ended by closing.
  co_return finished_&& keep_alive_;
}

void Connection::begin_head(int status, const Headers& headers) {
  constexpr int kLowest = 200;  // interim answers are not a handler's
  constexpr int kHighest = 599;
  constexpr int kNoContent = 204;
  constexpr int kNotModified = 304;
  if (status < kLowest || status > kHighest) status = kInternalError;
  started_ = true;
  bodiless_ = status == kNoContent || status == kNotModified;
  keep_alive_ = keep_alive_ && !context_->stopping;
  head_.clear();
  const auto reason = beast::http::obsolete_reason(static_cast<beast::http::status>(status));
  fmt::format_to(std::back_inserter(head_), "HTTP/1.1 {} {}\r\n", status,
                 std::string_view(reason.data(), reason.size()));
  for (const auto& [name, value] : headers) {
    if (!is_framing(name)) append_line(head_, name, value);
  }
}

asio::awaitable<Result<>> Connection::send(int status, Headers headers, std::string body) {
  if (started_) co_return fail(ErrorCode::kInternal, "a second answer to one request");
  begin_head(status, headers);
  finished_ = true;
  held_.hold_anyway(received_ + body.size());  // until a slow reader has taken it
  if (!keep_alive_) {
    head_ += "connection: close\r\n";
  } else if (parser_->get().version() == kHttp10) {
    head_ += "connection: keep-alive\r\n";
  }
  if (bodiless_) {
    head_ += "\r\n";
  } else {
    fmt::format_to(std::back_inserter(head_), "content-length: {}\r\n\r\n", body.size());
  }
  const std::string_view shown = has_body() ? std::string_view(body) : std::string_view{};
  co_return co_await write_buffers(head_, shown, kNothing);
}

asio::awaitable<Result<>> Connection::start(int status, Headers headers) {
  if (started_) co_return fail(ErrorCode::kInternal, "a second answer to one request");
  begin_head(status, headers);
  // HTTP/1.0 knows no chunks: there the end of the connection is the end of the answer.
  chunked_ = parser_->get().version() != kHttp10;
  if (!chunked_) keep_alive_ = false;
  if (!keep_alive_) head_ += "connection: close\r\n";
  if (chunked_ && !bodiless_) head_ += "transfer-encoding: chunked\r\n";
  head_ += "\r\n";
  co_return Result<>{};
}

asio::awaitable<Result<>> Connection::write(std::string_view bytes) {
  if (!started_ || finished_) {
    co_return fail(ErrorCode::kInternal, "a write outside of a streamed answer");
  }
  if (!has_body()) bytes = {};
  if (bytes.empty() && head_.empty()) co_return Result<>{};
  const bool framed = chunked_ && !bytes.empty();  // an empty chunk would be the end
  // The head goes out with the first chunk, in one packet.
  if (framed) fmt::format_to(std::back_inserter(head_), "{:x}\r\n", bytes.size());
  Result<> written = co_await write_buffers(head_, bytes, framed ? "\r\n" : "");
  head_.clear();
  co_return written;
}

asio::awaitable<Result<>> Connection::finish() {
  if (!started_ || finished_) {
    co_return fail(ErrorCode::kInternal, "the end of an answer that is not under way");
  }
  finished_ = true;
  if (chunked_ && has_body()) head_ += "0\r\n\r\n";
  Result<> written = co_await write_buffers(head_, kNothing, kNothing);
  head_.clear();
  co_return written;
}

asio::awaitable<Result<>> Connection::write_buffers(std::string_view first, std::string_view second,
                                                    std::string_view third) {
  if (closed_) co_return fail(ErrorCode::kCancelled, "the client went away");
  async::LoopWatch::doing("answering", path_);
  const std::array<asio::const_buffer, 3> buffers{asio::buffer(first), asio::buffer(second),
                                                  asio::buffer(third)};
  const auto before = deadline_;
  // The deadline moves with every byte that is taken: slow is not gone.
  const auto next_size = [this](const beast::error_code& ec, std::size_t) -> std::size_t {
    if (ec) return 0;
    set_deadline(context_->options.write_timeout);
    return kMaxWriteBytes;
  };
  const auto [ec, bytes] =
      co_await asio::async_write(socket_, buffers, next_size, asio::as_tuple(asio::use_awaitable));
  deadline_ = before;
  if (ec) {
    close();
    co_return fail(ErrorCode::kCancelled, "the client went away");
  }
  co_return Result<>{};
}

}  // namespace minimill::http
