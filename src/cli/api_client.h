#pragma once

// The daemon's HTTP API, called and waited for: the command line has nothing else to do meanwhile.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "http/client.h"

namespace minimill::cli {

namespace json = boost::json;

class ApiClient {
 public:
  /// `address` as the daemon announces it: "127.0.0.1:4177" or "unix:/path".
  explicit ApiClient(std::string_view address);

  /// Errors of the API come back as the Error they were; no daemon there is kUnavailable.
  Result<json::object> get(const std::string& path);
  Result<json::object> post(const std::string& path, const json::value& body,
                            const http::Headers& headers = {});
  Result<std::string> get_text(const std::string& path);
  Result<json::object> put_bytes(const std::string& path, std::string bytes);

  struct Answered {
    http::Headers headers;
  };
  /// A streamed answer; `on_bytes` gets the body as it arrives.
  Result<Answered> stream(const std::string& path, const json::value& body, http::Headers headers,
                          const std::function<Result<>(std::string_view)>& on_bytes);

 private:
  http::ClientRequest request(std::string method, const std::string& path) const;
  Result<http::Response> fetch(http::ClientRequest request);

  boost::asio::io_context io_;
  http::Client client_;
  std::string base_url_;
  std::string unix_socket_;
};

/// Percent-encodes one path segment or query value.
std::string url_encoded(std::string_view text);

}  // namespace minimill::cli
