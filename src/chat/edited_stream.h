#pragma once

// An answer whose events are changed on their way to the app: redacted words put back, a footnote
// added. The backend's own frames end here, as they say what the events said before; the app's
// writer makes new ones of the events.
//
//   reply.stream = std::make_unique<EditedStream>(std::move(reply.stream), std::move(change));

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "chat/chat_event.h"

namespace minimill::chat {

class EditedStream final : public ChatStream {
 public:
  /// Appends to `out` what the app gets in the place of `event`: nothing, the event, or several.
  /// What it held back goes out before Finish, which it gets as well.
  using Change = std::function<void(ChatEvent event, std::vector<ChatEvent>& out)>;

  EditedStream(std::unique_ptr<ChatStream> inner, Change change);

  asio::awaitable<Result<std::optional<ChatEvent>>> next() override;
  const std::string& model() const override { return inner_->model(); }

 private:
  std::unique_ptr<ChatStream> inner_;
  Change change_;
  std::deque<ChatEvent> ready_;
};

}  // namespace minimill::chat
