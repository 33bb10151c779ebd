#include "models/download.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace minimill::models {
namespace {

constexpr int kOk = 200;
constexpr int kPartialContent = 206;
constexpr int kRangeNotSatisfiable = 416;
constexpr std::chrono::seconds kConnectTimeout{10};
constexpr std::chrono::seconds kIdleTimeout{60};
constexpr std::size_t kSha256Digits = 64;

std::uint64_t number_in(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// "bytes 100-199/200" begins at 100.
std::uint64_t range_start(const http::Headers& headers) {
  std::string_view text = headers.get("content-range");
  if (text.starts_with("bytes ")) text.remove_prefix(6);
  return number_in(text);
}

/// "bytes */200": nothing is left, where 200 bytes are here.
bool is_whole(const http::Headers& headers, std::uint64_t size) {
  constexpr std::string_view kNothingLeft = "bytes */";
  const std::string_view text = headers.get("content-range");
  return text.starts_with(kNothingLeft) && number_in(text.substr(kNothingLeft.size())) == size;
}

bool is_redirect(int status) { return status >= 300 && status < 400; }

}  // namespace

std::string sha256_text(std::string_view text) {
  if (text.size() == kSha256Digits + 2 && text.front() == '"' && text.back() == '"') {
    text = text.substr(1, kSha256Digits);
  }
  std::string digits(text);
  for (char& c : digits) {
    if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
  }
  const bool good = digits.size() == kSha256Digits && std::ranges::all_of(digits, [](char c) {
                      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
                    });
  return good ? digits : std::string{};
}

http::ClientRequest get_request(std::string url) {
  http::ClientRequest request;
  request.url = std::move(url);
  request.connect_timeout = kConnectTimeout;
  request.idle_timeout = kIdleTimeout;
  request.follow_redirects = true;
  return request;
}

asio::awaitable<Result<RemoteFile>> look_up(http::Client& client, std::string url) {
  RemoteFile file;
  // The hash stands on the redirect itself, which a client that follows it does not get to see.
  for (const bool follow : {false, true}) {
    http::ClientRequest request = get_request(url);
    request.method = "HEAD";
    request.follow_redirects = follow;
    Result<http::Response> answer = co_await client.fetch(std::move(request));
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    if (file.sha256.empty()) file.sha256 = sha256_text(answer->headers.get("x-linked-etag"));
    const std::string_view etag = answer->headers.get("etag");
    if (answer->status == kOk && etag.starts_with('"')) file.etag = etag;
    if (!is_redirect(answer->status) || !file.sha256.empty()) break;
  }
  co_return file;
}

asio::awaitable<Result<>> download(http::Client& client, http::ClientRequest request,
                                   PartFile& part, OnBytes on_bytes) {
  const std::uint64_t had = part.size();
  if (had > 0) {
    request.headers.add("range", fmt::format("bytes={}-", had));
    on_bytes(had, 0, fmt::format("going on at byte {}", had));
  }
  Result<std::unique_ptr<http::Download>> opened = co_await client.open(std::move(request));
  if (!opened) co_return std::unexpected(std::move(opened.error()));
  http::Download& body = **opened;
  if (had > 0) {
    if (body.status() == kRangeNotSatisfiable && is_whole(body.headers(), had))
      co_return Result<>{};
    const bool goes_on = body.status() == kPartialContent && range_start(body.headers()) == had;
    if (body.status() == kOk || body.status() == kRangeNotSatisfiable ||
        (body.status() == kPartialContent && !goes_on)) {
      part.discard();
      co_return fail(ErrorCode::kConflict, "the server does not resume; starting over");
    }
  }
  if (body.status() != kOk && body.status() != kPartialContent) {
    co_return fail(ErrorCode::kUpstream, fmt::format("it answered {}", body.status()));
  }
  const std::uint64_t left = number_in(body.headers().get("content-length"));
  while (true) {
    Result<std::optional<std::string>> chunk = co_await body.read();
    if (!chunk) co_return std::unexpected(std::move(chunk.error()));
    if (!*chunk) co_return Result<>{};
    if (Result<> kept = part.append(**chunk); !kept) co_return kept;
    on_bytes(part.size(), left == 0 ? 0 : had + left, {});
  }
}

}  // namespace minimill::models
