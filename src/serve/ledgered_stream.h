#pragma once

// A backend's stream that keeps the request's place in its lane, and ends the request when it ends.

#include <memory>

#include "chat/chat_event.h"
#include "serve/observer.h"
#include "serve/open_request.h"

namespace minimill::serve {

class LedgeredStream final : public chat::ChatStream {
 public:
  LedgeredStream(std::unique_ptr<OpenRequest> open, std::unique_ptr<chat::ChatStream> inner,
                 const Observers& observers)
      : open_(std::move(open)),
        inner_(std::move(inner)),
        observers_(observers),
        gathered_(observers.wants_content(open_->observed())) {}

  asio::awaitable<Result<std::optional<chat::ChatEvent>>> next() override;
  const std::string& model() const override { return inner_->model(); }

 private:
  std::unique_ptr<OpenRequest> open_;  // outlives the backend's stream: members go in reverse order
  std::unique_ptr<chat::ChatStream> inner_;
  const Observers& observers_;
  bool gathered_;
  chat::AnswerParts answer_;
};

}  // namespace minimill::serve
