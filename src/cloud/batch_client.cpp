#include "cloud/batch_client.h"

#include <fmt/format.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "base/clock.h"
#include "cloud/secret.h"
#include "protocol/anthropic_batch.h"
#include "protocol/http_status.h"
#include "protocol/openai_batch.h"

namespace minimill::cloud {
namespace {

using protocol::BatchStatus;

constexpr int kFirstErrorStatus = 300;
constexpr std::size_t kMaxErrorBytes = 64 << 10;
constexpr int kMaxPages = 20;
constexpr std::size_t kBytesAtOnce = 64 << 10;  // written before others have the loop
constexpr std::int64_t kClockSkew_s = 3600;     // between us and the provider
constexpr std::string_view kOpenAiPath = "/batches";
constexpr std::string_view kAnthropicPath = "/v1/messages/batches";

Error status_error(const ProviderOptions& options, int status, const http::Headers& headers,
                   std::string_view body) {
  Error error = protocol::upstream_error(options.name, status, body, headers.get("retry-after"),
                                         unix_s(SystemClock().wall()));
  blot_out(error.message, options.key);
  return error;
}

}  // namespace

http::ClientRequest BatchClient::request(std::string method, std::string_view path) const {
  http::ClientRequest out;
  out.method = std::move(method);
  out.url = options_.base_url + std::string(path);
  out.connect_timeout = options_.connect_timeout;
  out.idle_timeout = options_.idle_timeout;
  if (openai()) {
    if (!options_.key.empty()) out.headers.add("authorization", "Bearer " + options_.key);
  } else {
    if (!options_.key.empty()) out.headers.add("x-api-key", options_.key);
    out.headers.add("anthropic-version", "2023-06-01");
  }
  return out;
}

asio::awaitable<Result<std::string>> BatchClient::call(http::ClientRequest out) {
  if (options_.key.empty() && !options_.key_env.empty()) {
    co_return fail(ErrorCode::kUnauthorized,
                   fmt::format("provider '{}' needs a key", options_.name),
                   fmt::format("set the environment variable {}", options_.key_env));
  }
  Result<http::Response> response = co_await client_.fetch(std::move(out));
  if (!response) co_return std::unexpected(std::move(response.error()).context(options_.name));
  if (response->status >= kFirstErrorStatus) {
    co_return std::unexpected(
        status_error(options_, response->status, response->headers, response->body));
  }
  co_return std::move(response->body);
}

asio::awaitable<Result<BatchStatus>> BatchClient::read_status(http::ClientRequest out) {
  Result<std::string> said = co_await call(std::move(out));
  if (!said) co_return std::unexpected(std::move(said.error()));
  Result<BatchStatus> status =
      openai() ? protocol::openai::parse_batch(*said) : protocol::anthropic::parse_batch(*said);
  if (!status) co_return std::unexpected(std::move(status.error()).context(options_.name));
  co_return status;
}

asio::awaitable<std::string> BatchClient::write(const std::vector<BatchItem>& items,
                                                std::string_view model) {
  std::string body;
  if (!openai()) body = R"({"requests":[)";
  std::size_t pause_at = kBytesAtOnce;
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  for (const BatchItem& item : items) {
    if (body.size() > pause_at) {
      pause_at = body.size() + kBytesAtOnce;
      co_await asio::post(executor, asio::use_awaitable);
    }
    if (openai()) {
      protocol::openai::append_batch_line(item.custom_id, *item.request, model,
                                          dialect_of(options_.rules, options_.name, model), body);
    } else {
      if (!body.ends_with('[')) body += ',';
      protocol::anthropic::append_batch_request(item.custom_id, *item.request, model, body);
    }
  }
  if (!openai()) body += "]}";
  co_return body;
}

asio::awaitable<Result<BatchStatus>> BatchClient::create(std::string body, std::string_view name) {
  if (openai()) {
    http::ClientRequest upload = request("POST", "/files");
    upload.headers.add("content-type", fmt::format("multipart/form-data; boundary={}", name));
    upload.body = protocol::openai::write_batch_upload(body, name);
    Result<std::string> said = co_await call(std::move(upload));
    if (!said) co_return std::unexpected(std::move(said.error()));
    const Result<std::string> file = protocol::openai::parse_file_id(*said);
    if (!file) co_return std::unexpected(file.error());
    body = protocol::openai::write_batch_creation(*file, name);
  }
  http::ClientRequest out = request("POST", openai() ? kOpenAiPath : kAnthropicPath);
  out.headers.add("content-type", "application/json");
  out.headers.add("idempotency-key", std::string(name));
  out.body = std::move(body);
  co_return co_await read_status(std::move(out));
}

asio::awaitable<Result<BatchStatus>> BatchClient::poll(std::string_view id) {
  const std::string path = fmt::format("{}/{}", openai() ? kOpenAiPath : kAnthropicPath, id);
  http::ClientRequest out = request("GET", path);
  co_return co_await read_status(std::move(out));
}

asio::awaitable<Result<BatchStatus>> BatchClient::cancel(std::string_view id) {
  const std::string path = fmt::format("{}/{}/cancel", openai() ? kOpenAiPath : kAnthropicPath, id);
  http::ClientRequest out = request("POST", path);
  co_return co_await read_status(std::move(out));
}

asio::awaitable<Result<std::optional<BatchStatus>>> BatchClient::find(std::string_view name,
                                                                      std::int64_t since_s) {
  if (!openai()) co_return std::nullopt;
  std::string after;
  for (int page = 0; page < kMaxPages; ++page) {
    std::string path = fmt::format("{}?limit=100", kOpenAiPath);
    if (!after.empty()) path += "&after=" + after;
    http::ClientRequest out = request("GET", path);
    Result<std::string> said = co_await call(std::move(out));
    if (!said) co_return std::unexpected(std::move(said.error()));
    Result<protocol::BatchList> list = protocol::openai::parse_batch_list(*said);
    if (!list) co_return std::unexpected(std::move(list.error()).context(options_.name));
    for (BatchStatus& batch : list->batches) {
      if (batch.name == name) co_return std::move(batch);
    }
    if (list->next.empty()) break;
    const std::int64_t oldest_s = list->batches.back().created_s;
    if (oldest_s != 0 && oldest_s + kClockSkew_s < since_s) break;
    after = std::move(list->next);
  }
  co_return std::nullopt;
}

asio::awaitable<Result<>> BatchClient::download(http::ClientRequest out, std::size_t& left,
                                                protocol::BatchResultsReader& reader) {
  Result<std::unique_ptr<http::Download>> opened = co_await client_.open(std::move(out));
  if (!opened) co_return std::unexpected(std::move(opened.error()).context(options_.name));
  http::Download& file = **opened;
  if (file.status() >= kFirstErrorStatus) {
    const Result<std::string> body = co_await http::read_all(file, kMaxErrorBytes);
    co_return std::unexpected(
        status_error(options_, file.status(), file.headers(), body ? *body : ""));
  }
  while (true) {
    Result<std::optional<std::string>> bytes = co_await file.read();
    if (!bytes) co_return std::unexpected(std::move(bytes.error()).context(options_.name));
    if (!*bytes) break;
    if ((*bytes)->size() > left) {
      co_return fail(ErrorCode::kTooLarge, fmt::format("{}: a batch's results of over {} bytes",
                                                       options_.name, kMaxResultsBytes));
    }
    left -= (*bytes)->size();
    reader.feed(**bytes);
  }
  reader.end_of_file();
  co_return Result<>{};
}

asio::awaitable<Result<BatchAnswers>> BatchClient::results(const BatchStatus& batch,
                                                           std::set<std::string> ids) {
  protocol::BatchResultsReader reader(std::move(ids), openai()
                                                          ? protocol::openai::read_batch_result
                                                          : protocol::anthropic::read_batch_result);
  std::vector<std::string> paths;
  for (const std::string& file : batch.result_files) {
    paths.push_back(fmt::format("/files/{}/content", file));
  }
  // Anthropic names a URL for them; it is not followed, as our key would go with it.
  if (!openai()) paths.push_back(fmt::format("{}/{}/results", kAnthropicPath, batch.id));
  std::size_t left = kMaxResultsBytes;
  for (const std::string& path : paths) {
    http::ClientRequest out = request("GET", path);
    Result<> read = co_await download(std::move(out), left, reader);
    if (!read) co_return std::unexpected(std::move(read.error()));
  }
  co_return std::move(reader).results();
}

asio::awaitable<void> BatchClient::forget(const BatchStatus& batch) {
  std::vector<std::string> paths;
  if (openai()) {
    if (!batch.input_file.empty()) paths.push_back("/files/" + batch.input_file);
    for (const std::string& file : batch.result_files) paths.push_back("/files/" + file);
  } else {
    paths.push_back(fmt::format("{}/{}", kAnthropicPath, batch.id));
  }
  for (const std::string& path : paths) {
    http::ClientRequest out = request("DELETE", path);
    (void)co_await call(std::move(out));  // what stays there, the provider deletes in its time
  }
}

}  // namespace minimill::cloud
