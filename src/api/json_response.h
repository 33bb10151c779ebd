#pragma once

// Answers of minimill's own API: JSON, and errors as {"error": {"code", "message", "hint",
// "field"}}.

#include <boost/asio/awaitable.hpp>
#include <boost/json.hpp>

#include "base/error.h"
#include "http/server.h"

namespace minimill::api {

namespace asio = boost::asio;

boost::json::object to_json(const Error& error);

asio::awaitable<void> send_json(int status, const boost::json::value& value, http::Responder& out);
/// With the status that fits the error's code (or `status`, if not 0), and Retry-After where it has
/// one.
asio::awaitable<void> send_json_error(const Error& error, http::Responder& out, int status = 0);

}  // namespace minimill::api
