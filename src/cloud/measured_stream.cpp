#include "cloud/measured_stream.h"

#include <utility>

#include "chat/token_estimate.h"

namespace minimill::cloud {

MeasuredStream::MeasuredStream(std::unique_ptr<chat::ChatStream> inner, const Clock& clock,
                               Begun begun, std::function<void(const AttemptEnd&)> ended)
    : inner_(std::move(inner)),
      clock_(clock),
      begun_(begun),
      ended_(std::move(ended)),
      last_event_(begun.at + begun.first_event) {}

MeasuredStream::~MeasuredStream() { end(Ending::kNotItsFault); }

asio::awaitable<Result<std::optional<chat::ChatEvent>>> MeasuredStream::next() {
  if (is_over_) co_return std::optional<chat::ChatEvent>{};
  Result<std::optional<chat::ChatEvent>> event = co_await inner_->next();
  last_event_ = clock_.steady();
  if (!event) {
    end(event.error().code == ErrorCode::kCancelled ? Ending::kNotItsFault : Ending::kFailed);
  } else if (*event) {
    take(**event);
  } else {
    const bool told = usage_ && (usage_->completion_tokens > 0 || answer_bytes_ == 0);
    if (!told) {
      usage_ = usage_.value_or(chat::Usage{.prompt_tokens = begun_.prompt_tokens});
      usage_->completion_tokens = chat::estimated_tokens(answer_bytes_);
      usage_->estimated = true;
    }
    end(Ending::kAnswered);
    if (!told) event = chat::ChatEvent(chat::UsageReport{*usage_});
  }
  co_return event;
}

void MeasuredStream::take(const chat::ChatEvent& event) {
  if (const auto* text = std::get_if<chat::TextDelta>(&event)) {
    answer_bytes_ += text->text.size();
  } else if (const auto* reasoning = std::get_if<chat::ReasoningDelta>(&event)) {
    answer_bytes_ += reasoning->text.size();
  } else if (const auto* call = std::get_if<chat::ToolCallDelta>(&event)) {
    answer_bytes_ += call->name.size() + call->arguments.size();
  } else if (const auto* report = std::get_if<chat::UsageReport>(&event)) {
    usage_ = report->usage;
  }
}

void MeasuredStream::end(Ending ending) {
  if (is_over_) return;
  is_over_ = true;
  AttemptEnd attempt;
  attempt.ending = ending;
  attempt.duration = last_event_ - begun_.at;
  attempt.first_event = begun_.first_event;
  attempt.usage = usage_.value_or(chat::Usage{});
  ended_(attempt);
}

}  // namespace minimill::cloud
