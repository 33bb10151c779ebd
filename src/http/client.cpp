#include "http/client.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "http/transfer.h"

namespace minimill::http {
namespace {

constexpr std::size_t kMaxIdleHandles = 64;
constexpr long kMaxIdleConnections = 256;

/// curl's global state, once per process. OpenSSL writes to sockets that the other side may have
/// closed: that must be an error there, not the end of the process.
void start_curl() {
  static const CURLcode started = [] {
    std::signal(SIGPIPE, SIG_IGN);
    return curl_global_init(CURL_GLOBAL_DEFAULT);
  }();
  (void)started;
}

}  // namespace

/// curl's multi handle on the event loop: curl says which sockets and which time it waits for, the
/// loop says when they have come.
struct Client::Impl : std::enable_shared_from_this<Client::Impl> {
  explicit Impl(asio::io_context& the_io) : io(the_io), timer(the_io) {
    start_curl();
    multi = curl_multi_init();
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, &Impl::on_socket);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, &Impl::on_timer);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, kMaxIdleConnections);
  }

  /// Nothing of the loop's comes after this; transfers under way end as cancelled.
  void shut_down() {
    closed = true;
    ++timer_turn;
    timer.cancel();
    for (Transfer* transfer : transfers) {
      if (transfer->is_done()) continue;
      curl_multi_remove_handle(multi, transfer->easy());
      transfer->ended(CURLE_ABORTED_BY_CALLBACK);
    }
  }

  ~Impl() {
    for (CURL* easy : idle_handles) curl_easy_cleanup(easy);
    curl_multi_cleanup(multi);
  }

  /// A socket that curl waits on.
  struct Watch {
    explicit Watch(asio::io_context& io) : descriptor(io) {}
    asio::posix::stream_descriptor descriptor;
    int wanted = 0;  // CURL_POLL_IN, CURL_POLL_OUT or both
    bool reading = false;
    bool writing = false;
  };

  static int on_socket(CURL*, curl_socket_t fd, int what, void* self, void*) {
    return static_cast<Impl*>(self)->watch(fd, what) ? 0 : -1;
  }

  static int on_timer(CURLM*, long timeout_ms, void* self) {
    static_cast<Impl*>(self)->set_timer(timeout_ms);
    return 0;
  }

  curl_socket_t open_socket(const curl_sockaddr& address) {
    const int fd = ::socket(address.family, address.socktype, address.protocol);
    if (fd < 0) return CURL_SOCKET_BAD;
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);  // engines are child processes
    disown(fd);
    connections.emplace(fd, false);
    return fd;
  }

  static int close_socket(void* self, curl_socket_t fd) {
    static_cast<Impl*>(self)->disown(fd);
    return ::close(fd);
  }

  /// The number is nobody's, or is about to be. curl 7.88 closes a socket that is still connecting
  /// without close_socket; the kernel may then give its number to anyone's socket, and a Watch
  /// left behind would take that for one the loop has registered: its events would never come.
  void disown(curl_socket_t fd) {
    connections.erase(fd);
    forget(fd);
  }

  /// Whether `fd` is a connection that curl may keep, and will tell us when it closes it.
  bool is_kept(curl_socket_t fd) {
    const auto found = connections.find(fd);
    if (found == connections.end()) return false;
    sockaddr_storage peer{};
    socklen_t size = sizeof(peer);
    found->second =
        found->second || ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
    return found->second;
  }

  void forget(curl_socket_t fd) {
    const auto found = watches.find(fd);
    if (found == watches.end()) return;
    found->second->wanted = 0;
    found->second->descriptor.release();  // cancels its waits; closing it is curl's
    watches.erase(found);
  }

  bool watch(curl_socket_t fd, int what) {
    // What curl closes without telling (its resolver's descriptors, sockets that never connected)
    // is forgotten at once: the number may come back as another file.
    if (what == CURL_POLL_REMOVE && !is_kept(fd)) {
      disown(fd);
      return true;
    }
    auto& watch = watches[fd];
    if (!watch) {
      auto fresh = std::make_shared<Watch>(io);
      boost::system::error_code ec;
      fresh->descriptor.assign(fd, ec);
      if (ec) {
        watches.erase(fd);
        return false;
      }
      watch = std::move(fresh);
    }
    // A wait that is no longer wanted is left pending and ignored: the next request on a kept
    // connection wants it again, and re-arming costs a system call.
    watch->wanted = what == CURL_POLL_REMOVE ? 0 : what;
    const auto held = watch;
    arm(fd, held);
    return true;
  }

  void arm(curl_socket_t fd, const std::shared_ptr<Watch>& watch) {
    using asio::posix::descriptor_base;
    if ((watch->wanted & CURL_POLL_IN) != 0 && !watch->reading) {
      watch->reading = true;
      watch->descriptor.async_wait(
          descriptor_base::wait_read,
          [weak = weak_from_this(), fd, watch](const boost::system::error_code& ec) {
            watch->reading = false;
            if (const auto self = weak.lock())
              self->ready(fd, watch, CURL_POLL_IN, CURL_CSELECT_IN, ec);
          });
    }
    if ((watch->wanted & CURL_POLL_OUT) != 0 && !watch->writing) {
      watch->writing = true;
      watch->descriptor.async_wait(
          descriptor_base::wait_write,
          [weak = weak_from_this(), fd, watch](const boost::system::error_code& ec) {
            watch->writing = false;
            if (const auto self = weak.lock())
              self->ready(fd, watch, CURL_POLL_OUT, CURL_CSELECT_OUT, ec);
          });
    }
  }

  void ready(curl_socket_t fd, const std::shared_ptr<Watch>& watch, int direction, int event,
             const boost::system::error_code& ec) {
    if (ec == asio::error::operation_aborted || (watch->wanted & direction) == 0) return;
    act(fd, ec ? CURL_CSELECT_ERR : event);
    // Waiting again costs two system calls; whoever has just got a token goes first.
    asio::post(io, [weak = weak_from_this(), fd, watch] {
      const auto self = weak.lock();
      if (!self) return;
      const auto found = self->watches.find(fd);  // curl may have closed it, and opened another
      if (found != self->watches.end() && found->second == watch) self->arm(fd, watch);
    });
  }

  void set_timer(long timeout_ms) {
    const std::uint64_t turn = ++timer_turn;  // what was set before is void
    if (closed || timeout_ms < 0) return;
    auto strike = [weak = weak_from_this(), turn](const boost::system::error_code& ec = {}) {
      const auto self = weak.lock();
      if (!ec && self && turn == self->timer_turn) self->act(CURL_SOCKET_TIMEOUT, 0);
    };
    if (timeout_ms == 0) {
      // "At once", but not from within curl's own callback. No timer: every request begins so.
      asio::post(io, std::move(strike));
      return;
    }
    timer.expires_after(std::chrono::milliseconds{timeout_ms});
    timer.async_wait(std::move(strike));
  }

  void act(curl_socket_t fd, int event) {
    int running = 0;
    curl_multi_socket_action(multi, fd, event, &running);
    int left = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      Transfer* transfer = nullptr;
      curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
      const CURLcode result = message->data.result;
      curl_multi_remove_handle(multi, message->easy_handle);
      transfer->ended(result);
    }
  }

  CURL* take_handle() {
    if (idle_handles.empty()) return curl_easy_init();
    CURL* easy = idle_handles.back();
    idle_handles.pop_back();
    return easy;
  }

  void give_back(CURL* easy) {
    if (idle_handles.size() >= kMaxIdleHandles) {
      curl_easy_cleanup(easy);
      return;
    }
    curl_easy_reset(easy);
    idle_handles.push_back(easy);
  }

  asio::io_context& io;
  CURLM* multi = nullptr;
  asio::steady_timer timer;
  std::unordered_map<curl_socket_t, std::shared_ptr<Watch>> watches;
  std::unordered_map<curl_socket_t, bool> connections;  // opened by open_socket; seen connected?
  std::vector<CURL*> idle_handles;
  std::unordered_set<Transfer*> transfers;  // between start and end of their scope
  std::uint64_t timer_turn = 0;
  bool closed = false;
};

namespace {

/// A transfer in the multi handle; leaving the scope takes it out.
class Running final : public Download {
 public:
  static Result<std::unique_ptr<Running>> start(std::shared_ptr<Client::Impl> client,
                                                ClientRequest request, std::size_t max_buffered,
                                                bool whole);
  ~Running() override;
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  asio::awaitable<Result<>> headers_come();
  asio::awaitable<Result<Response>> all_comes();

  int status() const override { return transfer_.status(); }
  const Headers& headers() const override { return transfer_.headers(); }
  asio::awaitable<Result<std::optional<std::string>>> read() override;

 private:
  Running(std::shared_ptr<Client::Impl> client, CURL* easy, ClientRequest request,
          std::size_t max_buffered, bool whole)
      : client_(std::move(client)),
        transfer_(client_->io, easy, std::move(request), max_buffered, whole) {
    client_->transfers.insert(&transfer_);
  }

  static curl_socket_t open_socket(void* self, curlsocktype, curl_sockaddr* address) {
    auto* running = static_cast<Running*>(self);
    const curl_socket_t fd = running->client_->open_socket(*address);
    running->transfer_.opened(fd);
    return fd;
  }

  std::shared_ptr<Client::Impl> client_;
  Transfer transfer_;
};

Result<std::unique_ptr<Running>> Running::start(std::shared_ptr<Client::Impl> client,
                                                ClientRequest request, std::size_t max_buffered,
                                                bool whole) {
  if (Result<> good = check_request(request); !good) return std::unexpected(good.error());
  if (client->closed) return fail(ErrorCode::kCancelled, "the HTTP client has been closed");
  CURL* easy = client->take_handle();
  if (easy == nullptr) return fail(ErrorCode::kIo, "curl has no memory for another transfer");
  std::unique_ptr<Running> running(
      new Running(client, easy, std::move(request), max_buffered, whole));
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &Running::open_socket);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, running.get());
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &Client::Impl::close_socket);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, client.get());
  if (const CURLMcode added = curl_multi_add_handle(client->multi, easy); added != CURLM_OK) {
    running->transfer_.ended(CURLE_FAILED_INIT);
    return fail(ErrorCode::kInternal, fmt::format("curl: {}", curl_multi_strerror(added)));
  }
  return running;
}

Running::~Running() {
  client_->transfers.erase(&transfer_);
  if (!transfer_.is_done()) curl_multi_remove_handle(client_->multi, transfer_.easy());
  client_->give_back(transfer_.easy());
}

asio::awaitable<Result<>> Running::headers_come() {
  while (!transfer_.headers_done() && !transfer_.is_done()) {
    Result<> waited = co_await transfer_.wait();
    if (!waited) co_return waited;
  }
  co_return transfer_.headers_done() ? Result<>{} : transfer_.outcome();
}

asio::awaitable<Result<Response>> Running::all_comes() {
  while (!transfer_.is_done()) {
    Result<> waited = co_await transfer_.wait();
    if (!waited) co_return std::unexpected(std::move(waited.error()));
  }
  Result<> outcome = transfer_.outcome();
  if (!outcome) co_return std::unexpected(std::move(outcome.error()));
  co_return transfer_.take_response();
}

asio::awaitable<Result<std::optional<std::string>>> Running::read() {
  while (transfer_.buffered() == 0 && !transfer_.is_done()) {
    Result<> waited = co_await transfer_.wait();
    if (!waited) co_return std::unexpected(std::move(waited.error()));
  }
  if (transfer_.buffered() > 0) co_return std::optional<std::string>(transfer_.take());
  Result<> outcome = transfer_.outcome();
  if (!outcome) co_return std::unexpected(std::move(outcome.error()));
  co_return std::optional<std::string>{};
}

}  // namespace

Client::Client(asio::io_context& io) : impl_(std::make_shared<Impl>(io)) {}

Client::~Client() { impl_->shut_down(); }

asio::awaitable<Result<Response>> Client::fetch(ClientRequest request) {
  Result<std::unique_ptr<Running>> running =
      Running::start(impl_, std::move(request), kMaxResponseBytes, true);
  if (!running) co_return std::unexpected(std::move(running.error()));
  co_return co_await (*running)->all_comes();
}

asio::awaitable<Result<std::unique_ptr<Download>>> Client::open(ClientRequest request) {
  Result<std::unique_ptr<Running>> running =
      Running::start(impl_, std::move(request), kMaxBufferedBytes, false);
  if (!running) co_return std::unexpected(std::move(running.error()));
  Result<> headers = co_await (*running)->headers_come();
  if (!headers) co_return std::unexpected(std::move(headers.error()));
  co_return std::unique_ptr<Download>(std::move(*running));
}

asio::awaitable<Result<std::string>> read_all(Download& download, std::size_t max_bytes) {
  std::string body;
  while (true) {
    Result<std::optional<std::string>> chunk = co_await download.read();
    if (!chunk) co_return std::unexpected(std::move(chunk.error()));
    if (!*chunk) co_return body;
    body += **chunk;
    if (body.size() > max_bytes) {
      co_return fail(ErrorCode::kTooLarge, fmt::format("an answer of over {} bytes", max_bytes));
    }
  }
}

}  // namespace minimill::http
