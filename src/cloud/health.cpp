#include "cloud/health.h"

#include <algorithm>

namespace minimill::cloud {
namespace {

constexpr double kUnknownSpread = 1.5;
constexpr double kKnown = 5;       // observations from which a spread is believed
constexpr double kErrorTrust = 4;  // attempts without an error that every provider is credited with
constexpr double kMinCreditMs = 1;  // answers faster than a clock's tick

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

std::string_view name(Breaker breaker) {
  switch (breaker) {
    case Breaker::kClosed:
      return "closed";
    case Breaker::kOpen:
      return "open";
    case Breaker::kHalfOpen:
      return "half-open";
  }
  return "closed";
}

void Health::begin(SteadyTime now, std::int64_t prompt_tokens) {
  ++in_flight_;
  headroom_.spend(prompt_tokens);
  if (breaker(now) == Breaker::kHalfOpen) probing_ = true;
}

void Health::end(const AttemptEnd& end, SteadyTime now) {
  in_flight_ = std::max(0, in_flight_ - 1);
  if (end.overtaken) {
    // That much at least: a provider that stalls shows it, too, where nobody waits for it.
    (end.first_event ? usual_first_event_ : usual_duration_).add(end.duration, now);
    service_.add(static_cast<double>(end.usage.completion_tokens), seconds(end.duration), now);
  }
  switch (end.ending) {
    case Ending::kRateLimited:
    case Ending::kNotItsFault:
      probing_ = false;  // it proved nothing; the next one may
      return;
    case Ending::kFailed:
      count_failure(kFirstPause, now);
      return;
    case Ending::kRefused:
      failures_in_a_row_ = kBreakAfter;
      count_failure(kLongestPause, now);
      return;
    case Ending::kAnswered:
      break;
  }
  failed_.add(0, now);
  failures_in_a_row_ = 0;
  broken_ = false;
  probing_ = false;
  pause_ = kFirstPause;

  const auto tokens = static_cast<double>(end.usage.completion_tokens);
  service_.add(tokens, seconds(end.duration), now);
  duration_ms_.add(in_ms(end.duration), now);
  if (end.first_event) {
    first_event_ms_.add(in_ms(*end.first_event), now);
    usual_first_event_.add(*end.first_event, now);
    const double writing_ms = in_ms(end.duration - *end.first_event);
    if (tokens > 1 && writing_ms > kMinCreditMs) {
      tokens_per_second_.add(tokens * 1'000 / writing_ms, now);
    }
  } else {
    usual_duration_.add(end.duration, now);
    if (tokens > 1 && in_ms(end.duration) > kMinCreditMs) {
      tokens_per_second_.add(tokens / seconds(end.duration), now);
    }
  }
  if (end.usage.prompt_tokens > 0) {
    cached_share_.add(std::clamp(static_cast<double>(end.usage.cached_prompt_tokens) /
                                     static_cast<double>(end.usage.prompt_tokens),
                                 0.0, 1.0),
                      now);
  }
}

void Health::count_failure(Millis first_pause, SteadyTime now) {
  failed_.add(1, now);
  ++failures_in_a_row_;
  // Requests that were under way when it opened tell nothing new.
  if (broken_ && now < closed_until_) return;
  if (!broken_ && failures_in_a_row_ < kBreakAfter) return;
  pause_ = broken_ ? std::min(kLongestPause, pause_ * 2) : first_pause;
  broken_ = true;
  probing_ = false;
  closed_until_ = now + pause_;
}

Breaker Health::breaker(SteadyTime now) const {
  if (!broken_) return Breaker::kClosed;
  return now < closed_until_ ? Breaker::kOpen : Breaker::kHalfOpen;
}

SteadyTime Health::next_at(SteadyTime now, std::int64_t prompt_tokens) const {
  if (probing_) return SteadyTime::max();
  const SteadyTime at = headroom_.next_at(now, prompt_tokens);
  return broken_ ? std::max(at, closed_until_) : at;
}

double Health::spread(SteadyTime now) const {
  constexpr double kMedian = 0.5;
  constexpr double kTail = 0.95;
  const bool streamed = usual_first_event_.weight(now) > usual_duration_.weight(now);
  const DecayedDurations& durations = usual(streamed);
  if (durations.weight(now) < kKnown) return kUnknownSpread;
  return in_ms(durations.quantile(kTail)) / std::max(1.0, in_ms(durations.quantile(kMedian)));
}

double Health::error_rate(SteadyTime now) const {
  const double weight = failed_.weight(now);
  return failed_.mean() * weight / (weight + kErrorTrust);
}

}  // namespace minimill::cloud
