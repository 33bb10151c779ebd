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

#include "base/log.h"
#include "http/url_query.h"

namespace minimill::http {
namespace {

namespace beast = boost::beast;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kReadBytes = 8 << 10;
constexpr std::size_t kMaxPipelinedBytes = 64 << 10;  // read ahead while a request is answered

constexpr int kBadRequest = 400;
constexpr int kForbidden = 403;
constexpr int kTooLarge = 413;
constexpr int kHeaderTooLarge = 431;
constexpr int kInternalError = 500;

/// "name:port" → "name", "[::1]:80" → "[::1]".
std::string_view without_port(std::string_view host) {
  const std::size_t bracket = host.find(']');
  const std::size_t colon = host.find(':', bracket == std::string_view::npos ? 0 : bracket);
  return host.substr(0, colon);
}

bool is_loopback_name(std::string_view host) {
  return iequals(host, "localhost") || host == "127.0.0.1" || host == "[::1]";
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

Connection::Connection(StreamSocket socket, std::string remote,
                       std::shared_ptr<ConnectionContext> context)
    : socket_(std::move(socket)),
      remote_(std::move(remote)),
      context_(std::move(context)),
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
    self->read_pending_ = false;
    self->buffer_.append(self->chunk_.data(), bytes);
    if (ec) self->read_ended_ = true;
    if (self->read_ended_ && self->answering_) {
      self->abort();  // nobody is there to read the answer
    } else if (self->answering_) {
      if (self->buffer_.size() < kMaxPipelinedBytes) self->arm_read();
    } else {
      self->data_event_.cancel();
    }
  };
  socket_.async_read_some(asio::buffer(chunk_), std::move(done));
}

asio::awaitable<void> Connection::more_data() {
  arm_read();
  if (!read_pending_) co_return;
  co_await data_event_.async_wait(asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<void> Connection::serve() {
  set_deadline(context_->options.header_timeout);
  while (!closed_) {
    const bool read = co_await read_request();
    if (!read) break;
    clear_deadline();
    Parser::value_type& message = parser_->get();
    std::string body = std::move(message.body());
    const bool go_on = co_await answer(message, std::move(body));
    if (!go_on || context_->stopping) break;
    set_deadline(context_->options.idle_timeout);
  }
}

/// False when the connection is to be closed.
asio::awaitable<bool> Connection::read_request() {
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(context_->options.max_header_bytes));
  parser_->body_limit(context_->options.max_body_bytes);
  parser_->eager(true);
  started_ = finished_ = chunked_ = head_only_ = keep_alive_ = false;
  target_path_.clear();
  bool continued = false;
  while (!parser_->is_done()) {
    if (!buffer_.empty()) {
      beast::error_code ec;
      const bool first_bytes = !parser_->got_some();
      const std::size_t used = parser_->put(asio::buffer(buffer_), ec);
      buffer_.erase(0, used);
      if (first_bytes && used > 0) set_deadline(context_->options.header_timeout);
      if (ec && ec != beast::http::error::need_more) {
        const auto [status, why] = parse_failure(ec);
        co_return co_await reject(status, why);
      }
      if (!ec && used > 0) continue;
    }
    if (parser_->is_header_done() && !continued) {
      continued = true;
      set_deadline(context_->options.body_timeout);
      if (iequals(std::string_view(parser_->get()[beast::http::field::expect]), "100-continue")) {
        Result<> sent = co_await write_buffers("HTTP/1.1 100 Continue\r\n\r\n", {}, {});
        if (!sent) co_return false;
      }
    }
    if (read_ended_) co_return false;
    co_await more_data();
    if (closed_) co_return false;
  }
  co_return true;
}

std::optional<std::string> Connection::bad_host(const Parser::value_type& message) const {
  if (!context_->options.check_host || remote_ == "unix") return std::nullopt;
  const std::string_view field(message[beast::http::field::host]);
  const std::string_view host = without_port(field);
  const auto named = [host](const std::string& name) { return iequals(host, name); };
  if (is_loopback_name(host) || std::ranges::any_of(context_->own_hosts, named) ||
      std::ranges::any_of(context_->options.allowed_hosts, named)) {
    return std::nullopt;
  }
  return fmt::format("the Host header '{}' is not one minimill answers to", host.substr(0, 100));
}

asio::awaitable<bool> Connection::reject(int status, std::string_view message) {
  keep_alive_ = false;
  Headers headers{{"content-type", "application/json"}};
  std::string body = context_->error_body(status, message, target_path_);
  Result<> sent = co_await send(status, std::move(headers), std::move(body));
  (void)sent;  // closed either way
  co_return false;
}

/// Runs the handler. False when the connection is to be closed.
asio::awaitable<bool> Connection::answer(const Parser::value_type& message, std::string body) {
  keep_alive_ = message.keep_alive();
  head_only_ = message.method() == beast::http::verb::head;
  Request request;
  request.method = head_only_ ? "GET" : std::string(message.method_string());
  const std::string_view target(message.target());
  const std::size_t mark = target.find('?');
  std::optional<std::string> path = percent_decoded(target.substr(0, mark));
  if (!path || !path->starts_with('/')) {
    co_return co_await reject(kBadRequest, "not a valid request target");
  }
  target_path_ = *path;
  if (std::optional<std::string> why = bad_host(message)) {
    co_return co_await reject(kForbidden, *why);
  }
  request.path = std::move(*path);
  if (mark != std::string_view::npos) request.query = target.substr(mark + 1);
  for (const auto& field : message) {
    request.headers.add(std::string(field.name_string()), std::string(field.value()));
  }
  request.body = std::move(body);
  request.remote = remote_;

  answering_ = true;
  arm_read();
  bool failed = false;
  try {
    co_await context_->handler(request, *this);
  } catch (const std::exception& error) {  // a bug of a handler's, or its cancellation
    failed = true;
    if (!closed_) log::error("{} {}: {}", request.method, request.path, error.what());
  }
  answering_ = false;
  if (closed_) co_return false;
  if (!started_) {
    const std::string_view why = failed ? "an internal error" : "the handler gave no answer";
    co_return co_await reject(kInternalError, why);
  }
  // A streamed answer that was not finished can only be ended by closing.
  co_return finished_&& keep_alive_;
}

void Connection::begin_head(int status, const Headers& headers) {
  started_ = true;
  keep_alive_ = keep_alive_ && !context_->stopping;
  head_.clear();
  const auto reason = beast::http::obsolete_reason(static_cast<beast::http::status>(status));
  fmt::format_to(std::back_inserter(head_), "HTTP/1.1 {} {}\r\n", status,
                 std::string_view(reason.data(), reason.size()));
  for (const auto& [name, value] : headers) {
    head_ += name;
    head_ += ": ";
    // A value from outside must not begin a header of its own.
    for (const char c : value) head_ += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
    head_ += "\r\n";
  }
  if (!keep_alive_) head_ += "connection: close\r\n";
}

asio::awaitable<Result<>> Connection::send(int status, Headers headers, std::string body) {
  begin_head(status, headers);
  fmt::format_to(std::back_inserter(head_), "content-length: {}\r\n\r\n", body.size());
  finished_ = true;
  const std::string_view shown = head_only_ ? std::string_view{} : std::string_view(body);
  co_return co_await write_buffers(head_, shown, {});
}

asio::awaitable<Result<>> Connection::start(int status, Headers headers) {
  begin_head(status, headers);
  head_ += "transfer-encoding: chunked\r\n\r\n";
  chunked_ = true;
  co_return Result<>{};
}

asio::awaitable<Result<>> Connection::write(std::string_view bytes) {
  if (bytes.empty() || head_only_) co_return Result<>{};
  // The head goes out with the first chunk, in one packet.
  fmt::format_to(std::back_inserter(head_), "{:x}\r\n", bytes.size());
  Result<> written = co_await write_buffers(head_, bytes, "\r\n");
  head_.clear();
  co_return written;
}

asio::awaitable<Result<>> Connection::finish() {
  finished_ = true;
  if (!head_only_) head_ += "0\r\n\r\n";
  Result<> written = co_await write_buffers(head_, {}, {});
  head_.clear();
  co_return written;
}

asio::awaitable<Result<>> Connection::write_buffers(std::string_view first,
                                                    std::string_view second,
                                                    std::string_view third) {
  if (closed_) co_return fail(ErrorCode::kCancelled, "the client went away");
  const std::array<asio::const_buffer, 3> buffers{asio::buffer(first), asio::buffer(second),
                                                  asio::buffer(third)};
  const auto before = deadline_;
  set_deadline(context_->options.write_timeout);
  const auto [ec, bytes] =
      co_await asio::async_write(socket_, buffers, asio::as_tuple(asio::use_awaitable));
  deadline_ = before;
  if (ec) {
    close();
    co_return fail(ErrorCode::kCancelled, "the client went away");
  }
  co_return Result<>{};
}

}  // namespace minimill::http
