#include "engine/call_stream.h"

#include <algorithm>

#include "protocol/forced_call.h"

namespace minimill::engine {

chat::asio::awaitable<Result<std::optional<chat::ChatEvent>>> CallStream::next() {
  if (!read_) {
    chat::AnswerParts said;
    while (true) {
      Result<std::optional<chat::ChatEvent>> event = co_await inner_->next();
      if (!event) co_return event;
      if (!*event) break;
      chat::accumulate(said, **event);
    }
    read_ = true;
    chat::ChatAnswer answer(std::move(said));
    protocol::take_call(answer);
    for (std::size_t i = 0; i < answer.tool_calls().size(); ++i) {
      const chat::ToolCall& call = answer.tool_calls()[i];
      ready_.emplace_back(chat::ToolCallDelta{.index = static_cast<std::int64_t>(i),
                                              .id = call.id,
                                              .name = call.name,
                                              .arguments = call.arguments});
    }
    if (!answer.text().empty()) ready_.emplace_back(chat::TextDelta{.text = answer.text()});
    ready_.emplace_back(chat::UsageReport{answer.usage()});
    ready_.emplace_back(chat::Finish{answer.finish()});
    std::ranges::reverse(ready_);
  }
  if (ready_.empty()) co_return std::optional<chat::ChatEvent>{};
  std::optional<chat::ChatEvent> event(std::move(ready_.back()));
  ready_.pop_back();
  co_return event;
}

}  // namespace minimill::engine
