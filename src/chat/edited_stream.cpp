#include "chat/edited_stream.h"

#include <iterator>
#include <utility>

namespace minimill::chat {

EditedStream::EditedStream(std::unique_ptr<ChatStream> inner, Change change)
    : inner_(std::move(inner)), change_(std::move(change)) {}

asio::awaitable<Result<std::optional<ChatEvent>>> EditedStream::next() {
  while (ready_.empty()) {
    Result<std::optional<ChatEvent>> event = co_await inner_->next();
    if (!event || !*event) co_return event;
    if (std::holds_alternative<Frame>(**event)) continue;
    std::vector<ChatEvent> changed;
    change_(std::move(**event), changed);
    ready_.insert(ready_.end(), std::make_move_iterator(changed.begin()),
                  std::make_move_iterator(changed.end()));
  }
  std::optional<ChatEvent> event(std::move(ready_.front()));
  ready_.pop_front();
  co_return event;
}

}  // namespace minimill::chat
