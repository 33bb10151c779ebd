#include "serve/held_answer.h"

#include <utility>

namespace minimill::serve {
namespace {

bool is_piece(const chat::ChatEvent& event) {
  return std::holds_alternative<chat::TextDelta>(event) ||
         std::holds_alternative<chat::ReasoningDelta>(event) ||
         std::holds_alternative<chat::ToolCallDelta>(event);
}

}  // namespace

chat::AnswerParts HeldAnswer::answer() const {
  chat::AnswerParts gathered;
  for (const chat::ChatEvent& event : events) chat::accumulate(gathered, event);
  return gathered;
}

asio::awaitable<Result<>> hold(chat::ChatStream& stream, const Clock& clock, HoldLimits limits,
                               HeldAnswer& held) {
  SteadyTime first = clock.steady();
  while (true) {
    Result<std::optional<chat::ChatEvent>> event = co_await stream.next();
    if (!event) co_return std::unexpected(std::move(event.error()));
    const SteadyTime now = clock.steady();
    if (held.tokens == 0) first = now;
    held.took = now - first;
    if (!*event) {
      held.whole = true;
      co_return Result<>{};
    }
    if (is_piece(**event)) ++held.tokens;
    if (const auto* text = std::get_if<chat::TextDelta>(&**event)) {
      held.logprobs.insert(held.logprobs.end(), text->logprobs.begin(), text->logprobs.end());
    }
    held.events.push_back(std::move(**event));
    const bool enough =
        limits.tokens > 0 && (held.tokens >= limits.tokens || held.took >= limits.time);
    if (enough) co_return Result<>{};
  }
}

ReplayStream::ReplayStream(HeldAnswer held, std::unique_ptr<chat::ChatStream> rest)
    : held_(std::move(held)), rest_(std::move(rest)) {}

asio::awaitable<Result<std::optional<chat::ChatEvent>>> ReplayStream::next() {
  if (!held_.events.empty()) {
    std::optional<chat::ChatEvent> event(std::move(held_.events.front()));
    held_.events.pop_front();
    co_return event;
  }
  if (held_.whole) co_return std::optional<chat::ChatEvent>{};
  Result<std::optional<chat::ChatEvent>> event = co_await rest_->next();
  co_return event;
}

}  // namespace minimill::serve
