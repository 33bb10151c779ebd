#include "http/transfer.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <new>
#include <utility>

#include "http/peer_credentials.h"

namespace minimill::http {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxHeaderBytes = 256 << 10;
constexpr long kMaxRedirects = 5;
constexpr const char* kUrlHint = "give a URL like https://host/path";

/// A "token" of RFC 9110, section 5.6.2.
bool is_token(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  const auto fits = [kMarks](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kMarks.find(c) != std::string_view::npos;
  };
  return !text.empty() && std::ranges::all_of(text, fits);
}

bool has_control(std::string_view text) {
  constexpr unsigned char kSpace = 0x20;
  constexpr unsigned char kDelete = 0x7f;
  return std::ranges::any_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < kSpace && c != '\t') || byte == kDelete;
  });
}

/// "http://key@host:80/path?query" → "host:80": what a message may name.
std::string_view authority_of(std::string_view url) {
  if (const auto scheme = url.find("://"); scheme != std::string_view::npos) {
    url.remove_prefix(scheme + 3);
  }
  url = url.substr(0, url.find_first_of("/?#\\"));
  if (const auto at = url.rfind('@'); at != std::string_view::npos) url.remove_prefix(at + 1);
  return url;
}

bool is_loopback(std::string_view authority) {
  std::string_view host = authority.substr(0, authority.rfind(':'));
  if (authority.starts_with('[')) host = authority.substr(1, authority.find(']') - 1);
  if (iequals(host, "localhost")) return true;
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(std::string(host), ec);
  return !ec && address.is_loopback();
}

ErrorCode code_of(CURLcode result) {
  switch (result) {
    case CURLE_OPERATION_TIMEDOUT:
      return ErrorCode::kTimeout;
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return ErrorCode::kUnavailable;
    case CURLE_URL_MALFORMAT:
      return ErrorCode::kInvalidArgument;
    default:
      return ErrorCode::kUpstream;
  }
}

std::string hint_of(CURLcode result) {
  switch (result) {
    case CURLE_COULDNT_CONNECT:
      return "is it running, and at this address?";
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return "check the name and this machine's network";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
      return "check the certificate authorities this machine trusts";
    case CURLE_URL_MALFORMAT:
      return kUrlHint;
    default:
      return {};
  }
}

}  // namespace

Result<> check_request(const ClientRequest& request) {
  if (!is_token(request.method)) {
    return fail(ErrorCode::kInvalidArgument, "not an HTTP method in a request to send");
  }
  if (has_control(request.url) || has_control(request.unix_socket)) {
    return fail(ErrorCode::kInvalidArgument, "a line break or control character in a URL",
                "check the configured URLs for stray line ends");
  }
  const std::string_view scheme = std::string_view(request.url).substr(0, request.url.find("://"));
  if (!iequals(scheme, "http") && !iequals(scheme, "https")) {
    return fail(ErrorCode::kInvalidArgument, "a URL that is neither http:// nor https://",
                kUrlHint);
  }
  for (const auto& [name, value] : request.headers) {
    if (!is_token(name)) {
      return fail(ErrorCode::kInvalidArgument, "a header name that HTTP does not allow");
    }
    if (has_control(value)) {
      return fail(ErrorCode::kInvalidArgument,
                  fmt::format("a line break or control character in the header '{}'", name),
                  "check the configured keys for stray line ends");
    }
  }
  return {};
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
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_ERRORBUFFER, curl_message_);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request_.connect_timeout.count()));
  set(CURLOPT_TIMEOUT_MS, static_cast<long>(request_.total_timeout.count()));
  if (!request_.unix_socket.empty()) {
    set(CURLOPT_UNIX_SOCKET_PATH, request_.unix_socket.c_str());
    set(CURLOPT_PREREQFUNCTION, &Transfer::on_connected);
    set(CURLOPT_PREREQDATA, this);
  }
  // What is on this machine is never asked for through a proxy; the rest is as the environment
  // says.
  if (request_.direct || !request_.unix_socket.empty() || is_loopback(authority_of(request_.url))) {
    set(CURLOPT_PROXY, "");
  }
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);  // a proxy's answer is not the answer
  if (!request_.ca_file.empty()) set(CURLOPT_CAINFO, request_.ca_file.c_str());
  if (request_.follow_redirects) {
    set(CURLOPT_FOLLOWLOCATION, 1L);
    set(CURLOPT_MAXREDIRS, kMaxRedirects);
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  }
  set_method();
  set_headers();
  set(CURLOPT_HEADERFUNCTION, &Transfer::on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &Transfer::on_body);
  set(CURLOPT_WRITEDATA, this);
}

void Transfer::set_method() {
  const auto set = [this](auto option, auto value) { curl_easy_setopt(easy_, option, value); };
  const std::string& method = request_.method;
  if (method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
    return;
  }
  const bool carries_body =
      !request_.body.empty() || method == "POST" || method == "PUT" || method == "PATCH";
  if (carries_body) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    set(CURLOPT_POSTFIELDS, request_.body.data());
  }
  if (method != (carries_body ? "POST" : "GET")) set(CURLOPT_CUSTOMREQUEST, method.c_str());
}

void Transfer::set_headers() {
  const auto add = [this](const std::string& line) {
    curl_slist* longer = curl_slist_append(header_list_, line.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    header_list_ = longer;
  };
  add("Expect:");  // a round trip for nothing
  // curl would call every body a form.
  if (!request_.headers.has("content-type")) add("Content-Type:");
  std::string line;
  for (const auto& [name, value] : request_.headers) {
    line.assign(name);
    line += value.empty() ? ";" : ": ";  // curl's way to write an empty field
    line += value;
    add(line);
  }
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, header_list_);
}

std::size_t Transfer::on_header(char* bytes, std::size_t size, std::size_t count, void* self) {
  auto* transfer = static_cast<Transfer*>(self);
  const std::size_t more = size * count;
  transfer->last_activity_ = Clock::now();
  transfer->header_bytes_ += more;
  if (transfer->header_bytes_ > kMaxHeaderBytes) return 0;  // curl gives up
  transfer->take_header({bytes, more});
  return more;
}

void Transfer::take_header(std::string_view line) {
  if (headers_done_) return;  // trailers; whoever has the headers may be reading them
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
    const bool redirect =
        request_.follow_redirects && status_ >= 300 && status_ < 400 && headers_.has("location");
    headers_done_ = !interim && !redirect;
    if (headers_done_) notify();
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  std::string_view value = line.substr(colon + 1);
  while (value.starts_with(' ') || value.starts_with('\t')) value.remove_prefix(1);
  while (value.ends_with(' ') || value.ends_with('\t')) value.remove_suffix(1);
  headers_.add(std::string(line.substr(0, colon)), std::string(value));
}

/// Connected, nothing sent yet. Where a socket lies is no proof of who listens: whoever may write
/// to the folder can put another in its place, and would read the prompts. A kept connection was
/// looked at when it was new.
int Transfer::on_connected(void* self, char*, char*, int, int) {
  auto* transfer = static_cast<Transfer*>(self);
  transfer->foreign_server_ =
      transfer->socket_ != CURL_SOCKET_BAD && !is_own_server(peer_credentials(transfer->socket_));
  return transfer->foreign_server_ ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
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
  if (std::exchange(paused_, false) && !done_) {
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
  return request_.unix_socket.empty() ? std::string(authority_of(request_.url))
                                      : request_.unix_socket;
}

Result<> Transfer::outcome() const {
  if (result_ == CURLE_OK && headers_done_) return {};
  if (result_ == CURLE_OK) {  // curl makes do with half a head
    return fail(ErrorCode::kUpstream,
                fmt::format("{} closed the connection in the middle of its headers", host()));
  }
  if (too_large_) {
    return fail(ErrorCode::kTooLarge,
                fmt::format("{} answered with over {} bytes", host(), max_buffered_));
  }
  if (header_bytes_ > kMaxHeaderBytes) {
    return fail(ErrorCode::kUpstream,
                fmt::format("{} sent over {} bytes of headers", host(), kMaxHeaderBytes));
  }
  if (foreign_server_) {
    return fail(ErrorCode::kForbidden,
                fmt::format("{}: another user's program answers there", host()),
                "remove the socket, or whoever put it there, and start minimill again");
  }
  if (result_ == CURLE_ABORTED_BY_CALLBACK) {
    return fail(ErrorCode::kCancelled, fmt::format("{}: cancelled", host()));
  }
  const char* why = curl_message_[0] != '\0' ? curl_message_ : curl_easy_strerror(result_);
  return fail(code_of(result_), fmt::format("{}: {}", host(), why), hint_of(result_));
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
    co_return fail(ErrorCode::kTimeout, fmt::format("{} has said nothing for {} ms", host(),
                                                    request_.idle_timeout.count()));
  }
  co_return Result<>{};
}

}  // namespace minimill::http
