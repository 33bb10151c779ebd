#pragma once

// A backend's stream that tells its request what it has used, event by event: whoever stops reading
// it, and whatever breaks it off, that much is paid for. Stands next to the backend, so that what
// is held back or changed on the way to the app counts, too.

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "chat/chat_event.h"
#include "serve/open_request.h"

namespace minimill::serve {

class CountedStream final : public chat::ChatStream {
 public:
  /// `open` outlives it.
  CountedStream(OpenRequest& open, std::unique_ptr<chat::ChatStream> inner)
      : open_(open), inner_(std::move(inner)) {}

  asio::awaitable<Result<std::optional<chat::ChatEvent>>> next() override {
    Result<std::optional<chat::ChatEvent>> event = co_await inner_->next();
    if (event && *event) open_.came(**event);
    co_return event;
  }
  const std::string& model() const override { return inner_->model(); }

 private:
  OpenRequest& open_;
  std::unique_ptr<chat::ChatStream> inner_;
};

}  // namespace minimill::serve
