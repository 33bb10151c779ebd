#pragma once

// The web page, and how a browser gets in.
//
//   GET  /                        the page, for a browser; for others what Ollama's clients look
//   for GET  /page/{file}             its parts GET  /open/{token}            a link of `minimill
//   open`: a cookie, and on to the page POST /minimill/v1/sessions    a new link, for the machine's
//   owner
//
// Nothing of the page may come from elsewhere or run inline (Content-Security-Policy), and nobody
// else may frame it.

#include "api/routes.h"
#include "api/sessions.h"

namespace minimill::api {

class PageApi {
 public:
  explicit PageApi(Sessions& sessions) : sessions_(sessions) {}

  void add_to(Routes& routes);

 private:
  asio::awaitable<void> open(http::Request& request, http::Responder& out, std::string token);
  asio::awaitable<void> make_link(http::Responder& out);

  Sessions& sessions_;
};

}  // namespace minimill::api
