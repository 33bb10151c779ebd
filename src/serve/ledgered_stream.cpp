#include "serve/ledgered_stream.h"

#include <utility>

namespace minimill::serve {

asio::awaitable<Result<std::optional<chat::ChatEvent>>> LedgeredStream::next() {
  Result<std::optional<chat::ChatEvent>> event = co_await inner_->next();
  if (!event) {
    open_->broke_off();
    open_->close(event.error());
  } else if (!*event) {
    open_->end_attempt(usage_);
    const chat::ChatAnswer answer(std::move(answer_));
    observers_.answered(open_->observed(), answer, open_->mean_logprob());
    open_->close();
  } else if (const auto* report = std::get_if<chat::UsageReport>(&**event)) {
    usage_ = report->usage;
  } else {
    open_->passed_on(**event);
    open_->trim_logprobs(**event);
    if (gathered_) chat::accumulate(answer_, **event);
  }
  co_return event;
}

}  // namespace minimill::serve
