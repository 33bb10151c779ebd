#include "chat/answer_stream.h"

#include <algorithm>
#include <utility>

namespace minimill::chat {

AnswerStream::AnswerStream(AnswerParts answer) : model_(std::move(answer.model)) {
  if (!answer.reasoning.empty()) events_.emplace_back(ReasoningDelta{std::move(answer.reasoning)});
  if (!answer.text.empty()) {
    events_.emplace_back(TextDelta{std::move(answer.text), std::move(answer.logprobs)});
  }
  for (std::size_t i = 0; i < answer.tool_calls.size(); ++i) {
    ToolCall& call = answer.tool_calls[i];
    events_.emplace_back(ToolCallDelta{.index = static_cast<std::int64_t>(i),
                                       .id = std::move(call.id),
                                       .name = std::move(call.name),
                                       .arguments = std::move(call.arguments)});
  }
  if (answer.usage != Usage{}) events_.emplace_back(UsageReport{answer.usage});
  events_.emplace_back(Finish{answer.finish});
  std::ranges::reverse(events_);
}

asio::awaitable<Result<std::optional<ChatEvent>>> AnswerStream::next() {
  if (events_.empty()) co_return std::optional<ChatEvent>{};
  std::optional<ChatEvent> event(std::move(events_.back()));
  events_.pop_back();
  co_return event;
}

}  // namespace minimill::chat
