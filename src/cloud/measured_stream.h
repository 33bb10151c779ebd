#pragma once

// A provider's stream that tells its provider's health how it went, once: when it has ended, well
// or badly, or when nobody wants the rest. Where the provider told no token counts, a UsageReport
// estimated from the text is the last event.

#include <functional>
#include <memory>

#include "base/clock.h"
#include "chat/chat_event.h"
#include "cloud/health.h"

namespace minimill::cloud {

namespace asio = boost::asio;

class MeasuredStream final : public chat::ChatStream {
 public:
  struct Begun {
    SteadyTime at{};
    std::chrono::nanoseconds first_event{};
    std::int64_t prompt_tokens = 0;  // estimated
  };
  /// `ended` is called exactly once, before this is gone.
  MeasuredStream(std::unique_ptr<chat::ChatStream> inner, const Clock& clock, Begun begun,
                 std::function<void(const AttemptEnd&)> ended);
  ~MeasuredStream() override;

  asio::awaitable<Result<std::optional<chat::ChatEvent>>> next() override;
  const std::string& model() const override { return inner_->model(); }

 private:
  void take(const chat::ChatEvent& event);
  void end(Ending ending);

  std::unique_ptr<chat::ChatStream> inner_;
  const Clock& clock_;
  Begun begun_;
  std::function<void(const AttemptEnd&)> ended_;
  SteadyTime last_event_{};
  std::optional<chat::Usage> usage_;
  std::size_t answer_bytes_ = 0;
  bool is_over_ = false;
};

}  // namespace minimill::cloud
