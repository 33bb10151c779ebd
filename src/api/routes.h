#pragma once

// Which handler answers which method and path. A pattern's "{…}" matches one path segment and hands
// it over: "/minimill/v1/tasks/{id}/cancel". A last "{…*}" matches all that is left, slashes
// included.

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "chat/chat_request.h"
#include "http/server.h"

namespace minimill::api {

namespace asio = boost::asio;

using PathParts = std::vector<std::string>;  // what the pattern's braces matched, in order
using RouteHandler =
    std::function<asio::awaitable<void>(http::Request&, http::Responder&, const PathParts&)>;

/// What is said of a route in GET /openapi.json.
struct RouteAbout {
  std::string summary;
  std::optional<chat::Protocol> body = std::nullopt;  // whose chats it takes
};

class Routes {
 public:
  void add(std::string method, std::string_view pattern, RouteAbout about, RouteHandler handler);

  struct Entry {
    std::string method;
    std::vector<std::string> segments;
    RouteAbout about;
    RouteHandler handler;
  };
  const std::vector<Entry>& entries() const { return entries_; }

  struct Match {
    const RouteHandler* handler = nullptr;  // nullptr: no such path, or not with this method
    PathParts parts;
    std::string allowed;  // "GET, POST": the methods the path has, when this one is not among them
  };
  Match find(std::string_view method, std::string_view path) const;

 private:
  std::vector<Entry> entries_;
};

}  // namespace minimill::api
