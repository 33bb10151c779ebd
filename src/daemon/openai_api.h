#pragma once

// POST /v1/chat/completions, GET /v1/models: the Gateway behind OpenAI's protocol.

#include "daemon/gateway.h"
#include "daemon/routes.h"

namespace minimill::daemon {

class OpenAiApi {
 public:
  OpenAiApi(const Clock& clock, Gateway& gateway, ModelSelector& selector, Engines& engines,
            policy::Privacy default_privacy);

  /// The routes hold a reference to this object.
  void add_to(Routes& routes);

 private:
  asio::awaitable<void> chat_completions(http::Request& request, http::Responder& out);
  asio::awaitable<void> models(http::Responder& out);
  asio::awaitable<Result<>> respond(Ask ask, http::Responder& out);
  asio::awaitable<Result<>> respond_streaming(Ask ask, http::Responder& out);
  Result<Ask> read(http::Request& request) const;

  const Clock& clock_;
  Gateway& gateway_;
  ModelSelector& selector_;
  Engines& engines_;
  policy::Privacy default_privacy_;
};

}  // namespace minimill::daemon
