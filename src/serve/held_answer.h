#pragma once

// The first part of a streamed answer, held back until it may be shown: until it looks good enough,
// or, where its form is to be checked, until it is whole.

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "chat/chat_event.h"

namespace minimill::serve {

namespace asio = boost::asio;

struct HoldLimits {
  std::size_t tokens = 0;                 // 0: the whole answer
  std::chrono::milliseconds time{1'500};  // counted from the first token
};

struct HeldAnswer {
  std::deque<chat::ChatEvent> events;
  std::vector<chat::TokenLogprob> logprobs;
  std::size_t tokens = 0;  // pieces of text, reasoning or tool calls: an engine sends one per token
  std::chrono::nanoseconds took{};
  bool whole = false;

  chat::AnswerParts answer() const;
};

/// Reads on until a limit is reached or the answer ends. What came is in `held`, too, where it
/// broke off.
asio::awaitable<Result<>> hold(chat::ChatStream& stream, const Clock& clock, HoldLimits limits,
                               HeldAnswer& held);

/// What was held, and then the rest.
class ReplayStream final : public chat::ChatStream {
 public:
  ReplayStream(HeldAnswer held, std::unique_ptr<chat::ChatStream> rest);
  asio::awaitable<Result<std::optional<chat::ChatEvent>>> next() override;
  const std::string& model() const override { return rest_->model(); }

 private:
  HeldAnswer held_;
  std::unique_ptr<chat::ChatStream> rest_;
};

}  // namespace minimill::serve
