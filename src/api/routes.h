#pragma once

// Which handler answers which method and path. A pattern's "{…}" matches one path segment and hands
// it over: "/minimill/v1/tasks/{id}/cancel". A last "{…*}" matches all that is left, slashes
// included.

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "chat/chat_request.h"
#include "http/server.h"
#include "policy/principal.h"

namespace minimill::api {

namespace asio = boost::asio;

using PathParts = std::vector<std::string>;  // what the pattern's braces matched, in order
using RouteHandler =
    std::function<asio::awaitable<void>(http::Request&, http::Responder&, const PathParts&)>;

/// Who may use a route; Access::may_use() decides by it, for every request.
enum class Who {
  kOwner,   // the machine's owner alone
  kOwn,     // whoever is let in; of what is stored, what is its own (scope_of)
  kAnyone,  // even without a key: it says nothing of anybody and changes nothing
};

/// What is said of a route: to whom it belongs, and, in GET /openapi.json, what it does. There is
/// no way to leave out the first (tests/compile_fail).
struct RouteAbout {
  RouteAbout(std::string the_summary, Who may_use,
             std::optional<chat::Protocol> whose_chats = std::nullopt)
      : summary(std::move(the_summary)), who(may_use), body(whose_chats) {}

  std::string summary;
  Who who;
  std::optional<chat::Protocol> body;  // whose chats it takes
};

/// What whoever sent `request` may see and change of what is stored.
policy::Scope scope_of(const http::Request& request);

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
    const Entry* entry = nullptr;  // nullptr: no such path, or not with this method
    PathParts parts;
    std::string allowed;  // "GET, POST": the methods the path has, when this one is not among them
  };
  Match find(std::string_view method, std::string_view path) const;

 private:
  std::vector<Entry> entries_;
};

}  // namespace minimill::api
