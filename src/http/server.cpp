#include "http/server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <unordered_set>
#include <utility>

#include "base/log.h"
#include "http/connection.h"
#include "http/peer_credentials.h"

namespace minimill::http {
namespace {

using asio::ip::tcp;
using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kAcceptBackoff{100};  // after running out of descriptors
constexpr std::chrono::milliseconds kMaxSweep{500};       // how late a time-out may strike
constexpr std::string_view kUnix = "unix:";

struct Bound {
  asio::generic::stream_protocol::endpoint endpoint;
  std::string unix_path;  // empty: TCP
  std::string host;       // for TCP, as in a Host header
};

Result<Bound> tcp_endpoint(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  unsigned port = 0;
  std::string_view host = address.substr(0, colon);
  const std::string_view digits =
      colon == std::string_view::npos ? std::string_view{} : address.substr(colon + 1);
  const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  constexpr unsigned kMaxPort = 65'535;
  const bool good = ec == std::errc{} && !digits.empty() && end == digits.data() + digits.size() &&
                    port <= kMaxPort;
  std::string name(host);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  boost::system::error_code bad_host;
  const auto ip = asio::ip::make_address(std::string(host), bad_host);
  if (!good || bad_host) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is no address", address),
                "use 127.0.0.1:PORT, [::1]:PORT or unix:/path");
  }
  const tcp::endpoint endpoint(ip, static_cast<asio::ip::port_type>(port));
  return Bound{{endpoint.data(), endpoint.size()}, {}, std::move(name)};
}

Result<Bound> unix_endpoint(std::string path) {
  if (path.size() >= sizeof(sockaddr_un{}.sun_path)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("the socket path '{}' is too long", path),
                "choose a shorter one");
  }
  const asio::local::stream_protocol::endpoint endpoint(path);
  return Bound{{endpoint.data(), endpoint.size()}, std::move(path), {}};
}

/// Engines are child processes; they are none of our sockets' business.
void keep_from_children(int descriptor) { ::fcntl(descriptor, F_SETFD, FD_CLOEXEC); }

/// A socket file that nobody answers on is left over from a process that was killed.
void remove_stale(const Bound& bound) {
  std::error_code ec;
  if (!std::filesystem::is_socket(bound.unix_path, ec)) return;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM, 0);
  if (probe < 0) return;
  keep_from_children(probe);
  ::fcntl(probe, F_SETFL, O_NONBLOCK);  // a listener with a full queue is alive, too
  const int connected =
      ::connect(probe, bound.endpoint.data(), static_cast<socklen_t>(bound.endpoint.size()));
  const bool stale = connected != 0 && errno == ECONNREFUSED;
  ::close(probe);
  if (stale) std::filesystem::remove(bound.unix_path, ec);
}

/// Without waiting: a server that is full has no time for those who do not read.
void refuse_for_now(StreamSocket& socket, const ErrorBody& error_body) {
  constexpr int kUnavailable = 503;
  const std::string body =
      error_body(kUnavailable, "too many connections at once; try again in a moment", {});
  const std::string answer = fmt::format(
      "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 1\r\n"
      "connection: close\r\ncontent-length: {}\r\n\r\n{}",
      body.size(), body);
  boost::system::error_code ec;
  socket.non_blocking(true, ec);
  socket.write_some(asio::buffer(answer), ec);
  socket.shutdown(asio::socket_base::shutdown_send, ec);
}

std::string text_of(const asio::generic::stream_protocol::endpoint& endpoint) {
  if (endpoint.protocol().family() == AF_UNIX) return "unix";
  tcp::endpoint at;
  if (endpoint.size() > at.capacity()) return "?";
  at.resize(endpoint.size());
  std::memcpy(at.data(), endpoint.data(), endpoint.size());
  const std::string ip = at.address().to_string();
  return at.address().is_v6() ? fmt::format("[{}]:{}", ip, at.port())
                              : fmt::format("{}:{}", ip, at.port());
}

std::string plain_error(int /*status*/, std::string_view message, std::string_view /*path*/) {
  std::string body = R"({"error":{"message":")";
  for (const char c : message) body += c == '"' || c == '\\' ? '\'' : c;
  return body + "\"}}";
}

}  // namespace

struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
  Impl(asio::io_context& the_io, ServerOptions options, Handler handler, ErrorBody error_body)
      : io(the_io),
        context(std::make_shared<ConnectionContext>(std::move(options))),
        sweep_timer(the_io),
        empty_event(the_io, Clock::time_point::max()) {
    context->handler = std::move(handler);
    context->error_body = error_body ? std::move(error_body) : ErrorBody(plain_error);
    const auto shortest = std::min({context->options.header_timeout, context->options.body_timeout,
                                    context->options.write_timeout, context->options.idle_timeout});
    sweep_every = std::clamp(shortest / 4, std::chrono::milliseconds{1}, kMaxSweep);
  }

  void accept(const std::shared_ptr<Acceptor>& acceptor) {
    auto accepted = [self = shared_from_this(), acceptor](const boost::system::error_code& ec,
                                                          StreamSocket socket) {
      if (self->context->stopping || ec == asio::error::operation_aborted) return;
      if (!ec) {
        self->accepting_fails = false;
        self->admit(std::move(socket));
        self->accept(acceptor);
        return;
      }
      if (!std::exchange(self->accepting_fails, true)) {
        log::warn("cannot accept connections for now: {}", ec.message());
      }
      self->accept_later(acceptor);
    };
    acceptor->async_accept(std::move(accepted));
  }

  void accept_later(const std::shared_ptr<Acceptor>& acceptor) {
    auto timer = std::make_shared<asio::steady_timer>(io, kAcceptBackoff);
    timer->async_wait(
        [self = shared_from_this(), acceptor, timer](const boost::system::error_code&) {
          if (!self->context->stopping) self->accept(acceptor);
        });
  }

  bool has_room_for(int family) const {
    const ServerOptions& options = context->options;
    const std::size_t kept =
        family == AF_UNIX ? 0 : std::min(options.kept_for_unix, options.max_connections / 2);
    return connections.size() + kept < options.max_connections;
  }

  void admit(StreamSocket socket) {
    keep_from_children(socket.native_handle());
    boost::system::error_code ec;
    const auto peer = socket.remote_endpoint(ec);
    if (ec) return;
    if (!has_room_for(peer.protocol().family())) {
      refuse_for_now(socket, context->error_body);
      return;
    }
    Peer who = peer_credentials(socket.native_handle());
    who.address = text_of(peer);
    socket.set_option(tcp::no_delay(true), ec);  // fails on Unix sockets, which have no Nagle
    auto connection = std::make_shared<Connection>(std::move(socket), std::move(who), context);
    connections.insert(connection);
    if (!sweeping) sweep();
    connection->start([self = shared_from_this(), raw = std::weak_ptr(connection)] {
      self->connections.erase(raw.lock());
      if (self->connections.empty()) self->empty_event.cancel();
    });
  }

  /// Only while there are connections, so that an idle daemon sleeps.
  void sweep() {
    sweeping = !connections.empty();
    if (!sweeping) return;
    sweep_timer.expires_after(sweep_every);
    sweep_timer.async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
      if (ec) return;
      const auto now = Clock::now();
      const auto all = self->connections;  // a connection that is closed leaves the set
      for (const auto& connection : all) connection->check_deadline(now);
      self->sweep();
    });
  }

  void close_acceptors() {
    boost::system::error_code ignored;
    for (const auto& acceptor : acceptors) acceptor->close(ignored);
    acceptors.clear();
    std::error_code ec;
    for (const std::string& path : unix_paths) std::filesystem::remove(path, ec);
    unix_paths.clear();
  }

  asio::io_context& io;
  std::shared_ptr<ConnectionContext> context;
  std::vector<std::shared_ptr<Acceptor>> acceptors;
  std::vector<std::string> unix_paths;
  std::unordered_set<std::shared_ptr<Connection>> connections;
  std::chrono::milliseconds sweep_every{};
  bool sweeping = false;
  bool accepting_fails = false;
  asio::steady_timer sweep_timer;
  asio::steady_timer empty_event;  // cancelled when the last connection ends
};

Server::Server(asio::io_context& io, ServerOptions options, Handler handler, ErrorBody error_body)
    : impl_(std::make_shared<Impl>(io, std::move(options), std::move(handler),
                                   std::move(error_body))) {}

Server::~Server() {
  impl_->context->stopping = true;
  impl_->close_acceptors();
  impl_->sweep_timer.cancel();
  const auto all = impl_->connections;
  for (const auto& connection : all) connection->abort();
}

Result<std::string> Server::listen(std::string_view address) {
  Result<Bound> bound = address.starts_with(kUnix)
                            ? unix_endpoint(std::string(address.substr(kUnix.size())))
                            : tcp_endpoint(address);
  if (!bound) return std::unexpected(std::move(bound.error()));
  if (!bound->unix_path.empty()) remove_stale(*bound);

  auto acceptor = std::make_shared<Acceptor>(impl_->io);
  boost::system::error_code ec;
  acceptor->open(bound->endpoint.protocol(), ec);
  if (!ec) keep_from_children(acceptor->native_handle());
  if (!ec && bound->unix_path.empty()) acceptor->set_option(Acceptor::reuse_address(true), ec);
  if (!ec) acceptor->bind(bound->endpoint, ec);
  if (!ec && !bound->unix_path.empty()) {
    using std::filesystem::perms;
    std::error_code failed;  // before listen(), so that there is no moment for others
    std::filesystem::permissions(bound->unix_path, perms::owner_read | perms::owner_write, failed);
    if (failed) ec = failed;
  }
  if (!ec) acceptor->listen(asio::socket_base::max_listen_connections, ec);
  if (ec == asio::error::address_in_use) {
    return fail(ErrorCode::kConflict, fmt::format("{} is taken by another program", address),
                "stop it, or listen elsewhere (--listen, or [server] listen)");
  }
  if (ec) {
    return fail(ErrorCode::kIo, fmt::format("cannot listen on {}: {}", address, ec.message()));
  }
  impl_->acceptors.push_back(acceptor);
  impl_->accept(acceptor);
  if (!bound->unix_path.empty()) {
    impl_->unix_paths.push_back(bound->unix_path);
    return std::string(address);
  }
  impl_->context->own_hosts.push_back(bound->host);
  return text_of(acceptor->local_endpoint());
}

asio::awaitable<void> Server::stop(std::chrono::milliseconds grace) {
  const auto impl = impl_;
  impl->context->stopping = true;
  impl->close_acceptors();
  const auto idle = impl->connections;
  for (const auto& connection : idle) connection->finish_up();
  if (!impl->connections.empty()) {
    impl->empty_event.expires_after(grace);
    co_await impl->empty_event.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  const auto left = impl->connections;
  for (const auto& connection : left) connection->abort();
  while (!impl->connections.empty()) {
    impl->empty_event.expires_at(Clock::time_point::max());
    co_await impl->empty_event.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  impl->sweep_timer.cancel();
}

std::size_t Server::connections() const { return impl_->connections.size(); }

}  // namespace minimill::http
