#pragma once

// An answer that is there already, as a stream: each of its parts at once, in chat_event.h's order.

#include <string>
#include <vector>

#include "chat/chat_event.h"

namespace minimill::chat {

class AnswerStream final : public ChatStream {
 public:
  explicit AnswerStream(AnswerParts answer);

  asio::awaitable<Result<std::optional<ChatEvent>>> next() override;
  const std::string& model() const override { return model_; }

 private:
  std::string model_;
  std::vector<ChatEvent> events_;  // last first
};

}  // namespace minimill::chat
