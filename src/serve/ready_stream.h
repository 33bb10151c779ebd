#pragma once

// A stream of an answer that is there already, whole.

#include <utility>

#include "chat/chat_event.h"

namespace minimill::serve {

namespace asio = boost::asio;

class ReadyStream final : public chat::ChatStream {
 public:
  explicit ReadyStream(chat::AnswerParts answer) : answer_(std::move(answer)) {}

  asio::awaitable<Result<std::optional<chat::ChatEvent>>> next() override {
    switch (said_++) {
      case 0:
        co_return chat::ChatEvent(
            chat::TextDelta{.text = answer_.text, .logprobs = answer_.logprobs});
      case 1:
        co_return chat::ChatEvent(chat::UsageReport{.usage = answer_.usage});
      case 2:
        co_return chat::ChatEvent(chat::Finish{.reason = answer_.finish});
      default:
        co_return std::nullopt;
    }
  }
  const std::string& model() const override { return answer_.model; }

 private:
  chat::AnswerParts answer_;
  int said_ = 0;
};

}  // namespace minimill::serve
