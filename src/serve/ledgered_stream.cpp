#include "serve/ledgered_stream.h"

#include <utility>

namespace minimill::serve {

asio::awaitable<Result<std::optional<chat::ChatEvent>>> LedgeredStream::next() {
  Result<std::optional<chat::ChatEvent>> event = co_await inner_->next();
  if (!event) {
    open_->broke_off();
    open_->close(event.error());
  } else if (!*event) {
    open_->end_attempt(open_->told());
    const chat::ChatAnswer answer(std::move(answer_));
    observers_.answered(open_->observed(), answer, open_->mean_logprob());
    open_->close();
  } else if (!std::holds_alternative<chat::UsageReport>(**event)) {
    open_->passed_on();
    open_->trim_logprobs(**event);
    if (gathered_) chat::accumulate(answer_, **event);
  }
  co_return event;
}

}  // namespace minimill::serve
