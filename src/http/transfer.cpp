#include "http/transfer.h"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <utility>

namespace minimill::http {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxHeaderBytes = 256 << 10;
constexpr long kMaxRedirects = 5;

bool has_line_break(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

ErrorCode code_of(CURLcode result) {
  switch (result) {
    case CURLE_OPERATION_TIMEDOUT: return ErrorCode::kTimeout;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return ErrorCode::kUnavailable;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: return ErrorCode::kInvalidArgument;
    default: return ErrorCode::kUpstream;
  }
}

}  // namespace

Result<> check_request(const ClientRequest& request) {
  bool good = !has_line_break(request.url) && !has_line_break(request.method);
  for (const auto& [name, value] : request.headers) {
    good = good && !has_line_break(name) && !has_line_break(value);
  }
  if (good) return {};
  return fail(ErrorCode::kInvalidArgument, "a line break in a request's URL or headers",
              "check the configured URLs and keys for stray line ends");
}

Transfer::Transfer(asio::io_context& io, CURL* easy, ClientRequest request,
                   std::size_t max_buffered, bool whole)
    : easy_(easy),
      request_(std::move(request)),
      max_buffered_(max_buffered),
      whole_(whole),
      event_(io, Clock::time_point::max()),
      last_activity_(Clock::now()) {
  set_options();
}

Transfer::~Transfer() { curl_slist_free_all(header_list_); }

void Transfer::set_options() {
  const auto set = [this](auto option, auto value) { curl_easy_setopt(easy_, option, value); };
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_URL, request_.url.c_str());
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_ERRORBUFFER, curl_message_);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request_.connect_timeout.count()));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(request_.total_timeout.count()));
  set(CURLOPT_NOPROXY, request_.unix_socket.empty() ? "localhost,127.0.0.1,::1" : "*");
  if (!request_.unix_socket.empty()) set(CURLOPT_UNIX_SOCKET_PATH, request_.unix_socket.c_str());
  if (!request_.ca_file.empty()) set(CURLOPT_CAINFO, request_.ca_file.c_str());
  if (request_.follow_redirects) {
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, kMaxRedirects);
  }
  if (request_.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (request_.method == "POST") {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    set(CURLOPT_POSTFIELDS, request_.body.data());
  } else if (request_.method != "GET") {
    set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
  const auto add_header = [this](const std::string& line) {
    header_list_ = curl_slist_append(header_list_, line.c_str());
  };
  add_header("Expect:");  // a round trip for nothing
  for (const auto& [name, value] : request_.headers) {
    add_header(value.empty() ? fmt::format("{};", name) : fmt::format("{}: {}", name, value));
  }
  set(CURLOPT_HTTPHEADER, header_list_);
  set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(CURLOPT_WRITEDATA, this);
}

std::size_t Transfer::on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto* transfer = static_cast<Transfer*>(self);
  transfer->last_activity_ = Clock::now();
  transfer->take_header({bytes, size * count});
  std::size_t total = 0;
  for (const auto& [name, value] : transfer->headers_) total += name.size() + value.size();
  return total > kMaxHeaderBytes ? 0 : size * count;
}

void Transfer::take_header(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with("HTTP/")) {  // a new head: after 100 Continue or a redirect
    headers_ = {};
    status_ = 0;
    const std::size_t space = line.find(' ');
    if (space != std::string_view::npos) {
      std::from_chars(line.data() + space + 1, line.data() + line.size(), status_);
    }
    return;
  }
  if (line.empty()) {
    const bool interim = status_ < 200;
    const bool redirect = request_.follow_redirects && status_ >= 300 && status_ < 400 &&
                          headers_.has("location");
    headers_done_ = !interim && !redirect;
    if (headers_done_) notify();
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  headers_.add(std::string(line.substr(0, colon)), std::string(value));
}

std::size_t Transfer::on_body(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto* transfer = static_cast<Transfer*>(self);
  const std::size_t more = size * count;
  transfer->last_activity_ = Clock::now();
  if (transfer->body_.size() + more > transfer->max_buffered_) {
    if (transfer->whole_) {
      transfer->too_large_ = true;
      return 0;
    }
    if (!transfer->body_.empty()) {
      transfer->paused_ = true;
      return CURL_WRITEFUNC_PAUSE;
    }
  }
  transfer->body_.append(bytes, more);
  if (!transfer->whole_) transfer->notify();
  return more;
}

std::string Transfer::take() {
  std::string taken = std::exchange(body_, {});
  if (std::exchange(paused_, false)) {
    last_activity_ = Clock::now();  // the silence was ours
    curl_easy_pause(easy_, CURLPAUSE_CONT);
  }
  return taken;
}

Response Transfer::take_response() {
  return {.status = status_, .headers = std::move(headers_), .body = std::move(body_)};
}

void Transfer::ended(CURLcode result) {
  done_ = true;
  result_ = result;
  notify();
}

void Transfer::notify() { event_.cancel(); }

std::string Transfer::host() const {
  if (!request_.unix_socket.empty()) return request_.unix_socket;
  // Neither credentials nor the query belong in a message.
  std::string_view url = request_.url;
  if (const auto scheme = url.find("://"); scheme != std::string_view::npos) {
    url.remove_prefix(scheme + 3);
  }
  url = url.substr(0, url.find_first_of("/?#"));
  if (const auto at = url.rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
  return std::string(url);
}

Result<> Transfer::outcome() const {
  if (result_ == CURLE_OK) return {};
  if (too_large_) {
    return fail(ErrorCode::kTooLarge,
                fmt::format("{} answered with over {} bytes", host(), max_buffered_));
  }
  const char* why = curl_message_[0] != '\0' ? curl_message_ : curl_easy_strerror(result_);
  return fail(code_of(result_), fmt::format("{}: {}", host(), why));
}

asio::awaitable<Result<>> Transfer::wait() {
  const auto silent_until = last_activity_ + request_.idle_timeout;
  event_.expires_at(paused_ ? Clock::time_point::max() : silent_until);
  co_await event_.async_wait(asio::as_tuple(asio::use_awaitable));
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) {
    co_return fail(ErrorCode::kCancelled, fmt::format("{}: cancelled", host()));
  }
  const auto now = Clock::now();
  if (!done_ && now >= last_activity_ + request_.idle_timeout) {
    co_return fail(ErrorCode::kTimeout,
                   fmt::format("{} has said nothing for {} ms", host(),
                               request_.idle_timeout.count()));
  }
  co_return Result<>{};
}

}  // namespace minimill::http
