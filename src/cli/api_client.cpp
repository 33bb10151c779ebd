#include "cli/api_client.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "base/json.h"

namespace minimill::cli {
namespace {

namespace asio = boost::asio;

constexpr int kFirstErrorStatus = 400;
constexpr std::size_t kMaxErrorBytes = 64 << 10;

/// Runs one coroutine to its end on this thread.
template <class T>
Result<T> wait_for(asio::io_context& io, asio::awaitable<Result<T>> work) {
  std::optional<Result<T>> result;
  io.restart();
  auto done = [&result](const std::exception_ptr& failure, Result<T> value) {
    if (failure) std::rethrow_exception(failure);
    result.emplace(std::move(value));
  };
  asio::co_spawn(io, std::move(work), std::move(done));
  while (!result) io.run_one();  // not run(): kept connections leave work pending
  return std::move(*result);
}

ErrorCode code_named(std::string_view text) {
  for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
    if (name(static_cast<ErrorCode>(code)) == text) return static_cast<ErrorCode>(code);
  }
  return ErrorCode::kUpstream;
}

/// minimill's own error body, or OpenAI's.
Error error_of(int status, std::string_view body) {
  Error error;
  error.code = ErrorCode::kUpstream;
  error.message = fmt::format("the daemon answered {}", status);
  const Result<json::object> parsed = parse_json_object(body);
  const json::value* inner = parsed ? parsed->if_contains("error") : nullptr;
  if (inner == nullptr || !inner->is_object()) return error;
  Fields fields(inner->get_object());
  error.message = fields.string_or("message", error.message);
  error.hint = fields.string_or("hint", "");
  error.field = fields.string_or("field", "");
  if (const json::value* code = fields.find("code"); code != nullptr && code->is_string()) {
    error.code = code_named(code->get_string());
  }
  return error;
}

asio::awaitable<Result<ApiClient::Answered>> read_stream(
    http::Client& client, http::ClientRequest request,
    const std::function<Result<>(std::string_view)>& on_bytes) {
  Result<std::unique_ptr<http::Download>> download = co_await client.open(std::move(request));
  if (!download) co_return std::unexpected(std::move(download.error()));
  if ((*download)->status() >= kFirstErrorStatus) {
    Result<std::string> body = co_await http::read_all(**download, kMaxErrorBytes);
    co_return std::unexpected(error_of((*download)->status(), body ? *body : ""));
  }
  ApiClient::Answered answered{.headers = (*download)->headers()};
  while (true) {
    Result<std::optional<std::string>> chunk = co_await (*download)->read();
    if (!chunk) co_return std::unexpected(std::move(chunk.error()));
    if (!*chunk) co_return answered;
    if (Result<> taken = on_bytes(**chunk); !taken) co_return std::unexpected(taken.error());
  }
}

}  // namespace

ApiClient::ApiClient(std::string_view address) : client_(io_) {
  constexpr std::string_view kUnix = "unix:";
  if (address.starts_with(kUnix)) {
    unix_socket_ = address.substr(kUnix.size());
    base_url_ = "http://localhost";
  } else {
    base_url_ = fmt::format("http://{}", address);
  }
}

http::ClientRequest ApiClient::request(std::string method, const std::string& path) const {
  http::ClientRequest request;
  request.method = std::move(method);
  request.url = base_url_ + path;
  request.unix_socket = unix_socket_;
  request.idle_timeout = std::chrono::minutes{10};
  return request;
}

Result<http::Response> ApiClient::fetch(http::ClientRequest request) {
  Result<http::Response> response = wait_for(io_, client_.fetch(std::move(request)));
  if (response && response->status >= kFirstErrorStatus) {
    return std::unexpected(error_of(response->status, response->body));
  }
  return response;
}

Result<std::string> ApiClient::get_text(const std::string& path) {
  Result<http::Response> response = fetch(request("GET", path));
  if (!response) return std::unexpected(std::move(response.error()));
  return std::move(response->body);
}

Result<json::object> ApiClient::get(const std::string& path) {
  Result<std::string> body = get_text(path);
  if (!body) return std::unexpected(std::move(body.error()));
  return parse_json_object(*body);
}

Result<json::object> ApiClient::post(const std::string& path, const json::value& body,
                                     const http::Headers& headers) {
  http::ClientRequest posted = request("POST", path);
  posted.headers = headers;
  posted.headers.add("content-type", "application/json");
  posted.body = json::serialize(body);
  Result<http::Response> response = fetch(std::move(posted));
  if (!response) return std::unexpected(std::move(response.error()));
  return parse_json_object(response->body);
}

Result<json::object> ApiClient::put_bytes(const std::string& path, std::string bytes) {
  http::ClientRequest put = request("PUT", path);
  put.headers.add("content-type", "application/octet-stream");
  put.body = std::move(bytes);
  Result<http::Response> response = fetch(std::move(put));
  if (!response) return std::unexpected(std::move(response.error()));
  return parse_json_object(response->body);
}

Result<ApiClient::Answered> ApiClient::stream(
    const std::string& path, const json::value& body, http::Headers headers,
    const std::function<Result<>(std::string_view)>& on_bytes) {
  http::ClientRequest posted = request("POST", path);
  posted.headers = std::move(headers);
  posted.headers.add("content-type", "application/json");
  posted.body = json::serialize(body);
  return wait_for(io_, read_stream(client_, std::move(posted), on_bytes));
}

std::string url_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= 'a' && byte <= 'z') || c == '-' || c == '_' || c == '.' || c == '~';
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

}  // namespace minimill::cli
