#include "engine/call_stream.h"

#include "protocol/forced_call.h"

namespace minimill::engine {

chat::asio::awaitable<Result<std::optional<chat::ChatEvent>>> CallStream::next() {
  if (!called_) {
    chat::AnswerParts said;
    while (true) {
      Result<std::optional<chat::ChatEvent>> event = co_await inner_->next();
      if (!event) co_return event;
      if (!*event) break;
      chat::accumulate(said, **event);
    }
    chat::ChatAnswer answer(std::move(said));
    protocol::take_call(answer);
    called_.emplace(answer.parts());
  }
  co_return co_await called_->next();
}

}  // namespace minimill::engine
