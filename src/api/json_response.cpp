#include "api/json_response.h"

#include <cmath>
#include <string>

#include "protocol/http_status.h"

namespace minimill::api {

boost::json::object to_json(const Error& error) {
  boost::json::object inner{{"code", name(error.code)}, {"message", error.message}};
  if (!error.hint.empty()) inner["hint"] = error.hint;
  if (!error.field.empty()) inner["field"] = error.field;
  return {{"error", std::move(inner)}};
}

asio::awaitable<void> send_json(int status, const boost::json::value& value, http::Responder& out) {
  http::Headers headers{{"content-type", "application/json"}};
  std::string body = boost::json::serialize(value);
  body += '\n';
  co_await out.send(status, std::move(headers), std::move(body));
}

asio::awaitable<void> send_json_error(const Error& error, http::Responder& out, int status) {
  if (status == 0) status = protocol::http_status(error);
  http::Headers headers{{"content-type", "application/json"}};
  if (error.retry_after) {
    const double seconds = std::chrono::duration<double>(*error.retry_after).count();
    headers.add("retry-after", std::to_string(static_cast<std::int64_t>(std::ceil(seconds))));
  }
  std::string body = boost::json::serialize(to_json(error));
  body += '\n';
  co_await out.send(status, std::move(headers), std::move(body));
}

}  // namespace minimill::api
