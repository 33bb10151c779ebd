#include "engine/openai_transport.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "base/json.h"
#include "protocol/http_status.h"

namespace minimill::engine {
namespace {

using Kind = CallFailure::Kind;

constexpr std::chrono::milliseconds kConnectTimeout{10'000};
/// A request may wait for a slot behind others and then for a long prompt to be read, all without a
/// byte. An engine that dies closes the connection at once, so this only bounds one that hangs.
constexpr std::chrono::milliseconds kIdleTimeout{600'000};
constexpr std::size_t kMaxErrorBytes = 64 << 10;
constexpr int kServiceUnavailable = 503;

std::unexpected<CallFailure> refused(Error error) {
  return std::unexpected(CallFailure{Kind::kRefused, std::move(error)});
}

/// What the HTTP client could not do. A server that is silent for too long is alive, and one more
/// request would not help it.
std::unexpected<CallFailure> transfer_failure(const std::string& who, Error error) {
  const bool broken = error.code == ErrorCode::kUnavailable || error.code == ErrorCode::kUpstream;
  return std::unexpected(
      CallFailure{broken ? Kind::kBroken : Kind::kRefused, std::move(error).context(who)});
}

std::unexpected<CallFailure> broke_off(const std::string& who) {
  return std::unexpected(CallFailure{
      Kind::kBroken, Error{.code = ErrorCode::kUpstream,
                           .message = fmt::format("{} broke off in the middle of its answer", who),
                           .hint = "send the request again",
                           .field = {},
                           .retry_after = {}}});
}

std::unexpected<CallFailure> status_failure(const OpenAiServer& server, int status,
                                            std::string_view body, std::string_view retry_after) {
  Error error =
      protocol::upstream_error(server.who, status, body, retry_after, unix_s(server.clock.wall()));
  return std::unexpected(CallFailure{
      status == kServiceUnavailable ? Kind::kLoading : Kind::kRefused, std::move(error)});
}

http::ClientRequest json_request(const OpenAiServer& server, std::string_view path,
                                 std::string body) {
  http::ClientRequest request;
  request.method = "POST";
  request.url = server.base_url + std::string(path);
  request.unix_socket = server.unix_socket;
  request.headers.add("content-type", "application/json");
  if (!server.key.empty()) request.headers.add("authorization", "Bearer " + server.key);
  request.body = std::move(body);
  request.connect_timeout = kConnectTimeout;
  request.idle_timeout = kIdleTimeout;
  request.total_timeout = server.total_timeout;
  request.direct = true;  // what may stay in the house is not shown to a proxy
  return request;
}

bool is_success(int status) { return status >= 200 && status < 300; }

}  // namespace

OpenAiStream::OpenAiStream(std::string who, std::unique_ptr<http::Download> download)
    : who_(std::move(who)), download_(std::move(download)) {}

asio::awaitable<CallResult<std::optional<chat::ChatEvent>>> OpenAiStream::next() {
  while (ready_.empty()) {
    if (reader_.done()) {
      if (!finished_) co_return broke_off(who_);
      co_return std::nullopt;
    }
    Result<std::optional<std::string>> bytes = co_await download_->read();
    if (!bytes) {
      // Nothing but token counts can come after Finish: the answer is whole.
      if (finished_ && bytes.error().code != ErrorCode::kCancelled) co_return std::nullopt;
      co_return transfer_failure(who_, std::move(bytes.error()));
    }
    if (!*bytes) {
      if (!finished_) co_return broke_off(who_);
      co_return std::nullopt;
    }
    if (Result<> fed = sse_.feed(**bytes); !fed) co_return refused(std::move(fed.error()));
    std::vector<chat::ChatEvent> events;
    while (std::optional<http::SseEvent> event = sse_.next()) {
      Result<> read = reader_.read(event->data, events);
      if (!read) co_return refused(std::move(read.error()).context(who_));
    }
    for (chat::ChatEvent& event : events) ready_.push_back(std::move(event));
  }
  chat::ChatEvent event = std::move(ready_.front());
  ready_.pop_front();
  if (std::holds_alternative<chat::Finish>(event)) finished_ = true;
  co_return std::optional<chat::ChatEvent>(std::move(event));
}

asio::awaitable<CallResult<std::unique_ptr<OpenAiStream>>> open_chat_stream(http::Client& client,
                                                                            OpenAiServer server,
                                                                            std::string body) {
  http::ClientRequest request = json_request(server, kChatPath, std::move(body));
  Result<std::unique_ptr<http::Download>> download = co_await client.open(std::move(request));
  if (!download) co_return transfer_failure(server.who, std::move(download.error()));
  const int status = (*download)->status();
  if (!is_success(status)) {
    const std::string retry_after((*download)->headers().get("retry-after"));
    Result<std::string> said = co_await http::read_all(**download, kMaxErrorBytes);
    if (!said && said.error().code == ErrorCode::kCancelled) {
      co_return refused(std::move(said.error()));
    }
    co_return status_failure(server, status, said ? *said : std::string(), retry_after);
  }
  co_return std::make_unique<OpenAiStream>(std::move(server.who), std::move(*download));
}

asio::awaitable<CallResult<std::string>> call(http::Client& client, OpenAiServer server,
                                              std::string path, std::string body) {
  http::ClientRequest request = json_request(server, path, std::move(body));
  Result<http::Response> response = co_await client.fetch(std::move(request));
  if (!response) co_return transfer_failure(server.who, std::move(response.error()));
  if (!is_success(response->status)) {
    co_return status_failure(server, response->status, response->body,
                             response->headers.get("retry-after"));
  }
  co_return std::move(response->body);
}

}  // namespace minimill::engine
