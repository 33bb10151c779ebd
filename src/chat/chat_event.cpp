#include "chat/chat_event.h"

namespace minimill::chat {
namespace {

/// A backend that numbers its tool calls beyond this is broken; what it sends there is dropped.
constexpr std::size_t kMaxToolCalls = 128;

struct Accumulate {
  AnswerParts& answer;

  void operator()(const TextDelta& delta) const {
    answer.text += delta.text;
    answer.logprobs.insert(answer.logprobs.end(), delta.logprobs.begin(), delta.logprobs.end());
  }
  void operator()(const ReasoningDelta& delta) const { answer.reasoning += delta.text; }
  void operator()(const ToolCallDelta& delta) const {
    const auto index = static_cast<std::size_t>(delta.index);
    if (index >= kMaxToolCalls) return;
    if (answer.tool_calls.size() <= index) answer.tool_calls.resize(index + 1);
    ToolCall& call = answer.tool_calls[index];
    if (!delta.id.empty()) call.id = delta.id;
    if (!delta.name.empty()) call.name = delta.name;
    call.arguments += delta.arguments;
  }
  void operator()(const UsageReport& report) const { answer.usage = report.usage; }
  void operator()(const Finish& finish) const { answer.finish = finish.reason; }
  void operator()(const Frame& /*frame*/) const {}
};

}  // namespace

Usage& Usage::operator+=(const Usage& other) {
  prompt_tokens += other.prompt_tokens;
  completion_tokens += other.completion_tokens;
  cached_prompt_tokens += other.cached_prompt_tokens;
  cache_write_5m_tokens += other.cache_write_5m_tokens;
  cache_write_1h_tokens += other.cache_write_1h_tokens;
  estimated = estimated || other.estimated;
  return *this;
}

void accumulate(AnswerParts& answer, const ChatEvent& event) {
  std::visit(Accumulate{answer}, event);
}

}  // namespace minimill::chat
