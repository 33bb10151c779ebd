#pragma once

// How one model of one provider does: measured over the last hour, with what keeps others from
// running into what is already known to be broken.
//
//   if (health.next_at(now, tokens) <= now) { health.begin(now, tokens); … health.end(…, now); }
//
// A circuit breaker (Nygard, "Release It!", 2007) opens after kBreakAfter failures in a row, or at
// once where the provider refuses us (key, quota), for kFirstPause, doubling to kLongestPause; then
// it lets one request through, whose end closes or opens it again. How many it takes at once is the
// provider's as a whole: ConcurrencyLimit.
// Time comes with each call; not thread-safe.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"
#include "chat/chat_event.h"
#include "cloud/decayed.h"
#include "cloud/rate_limits.h"

namespace minimill::cloud {

enum class Ending {
  kAnswered,
  kFailed,       // its fault: unreachable, 5xx, nonsense, silence
  kRefused,      // it will not serve us at all: wrong key, no quota
  kRateLimited,  // 429, or overloaded for a time that it names
  kNotItsFault,  // our request was wrong, or its answer was no longer wanted
};

/// One attempt's end.
struct AttemptEnd {
  Ending ending = Ending::kAnswered;
  std::chrono::nanoseconds duration{};
  std::optional<std::chrono::nanoseconds> first_event;  // of streams
  /// Given up after `duration` without an answer because another's was there: its true duration is
  /// longer than that. `usage` is then what was expected, and a stream's `first_event` the same as
  /// `duration`.
  bool overtaken = false;
  chat::Usage usage;
};

enum class Breaker { kClosed, kOpen, kHalfOpen };
std::string_view name(Breaker breaker);

class Health {
 public:
  static constexpr int kBreakAfter = 3;
  static constexpr Millis kFirstPause{5'000};
  static constexpr Millis kLongestPause{300'000};

  void begin(SteadyTime now, std::int64_t prompt_tokens);
  /// Ends what one begin() began.
  void end(const AttemptEnd& end, SteadyTime now);
  void note(const RateLimits& said, SteadyTime now) { headroom_.note(said, now); }

  /// When the next request may begin; `now` where at once. SteadyTime::max() where that depends on
  /// the end of one under way.
  SteadyTime next_at(SteadyTime now, std::int64_t prompt_tokens) const;
  Breaker breaker(SteadyTime now) const;
  /// The last failure: what is told of a provider that is not asked.
  const std::optional<Error>& last_error() const { return last_error_; }
  void remember_error(Error error) { last_error_ = std::move(error); }

  /// All answers' time, by tokens.
  const ServiceTime& service() const { return service_; }
  const DecayedMoments& first_event_ms() const { return first_event_ms_; }
  const DecayedMoments& tokens_per_second() const { return tokens_per_second_; }
  const DecayedMoments& duration_ms() const { return duration_ms_; }
  /// What is usual: time to a stream's first event, or to a whole answer.
  const DecayedDurations& usual(bool streamed) const {
    return streamed ? usual_first_event_ : usual_duration_;
  }
  /// p95 ÷ median of whatever is known better; 1 at best. 1.5 where little is known.
  double spread(SteadyTime now) const;
  /// Share of attempts that failed, drawn towards 0 where there were few.
  double error_rate(SteadyTime now) const;
  /// Of the prompt's tokens, those read from the provider's cache.
  double cached_share() const { return cached_share_.mean(); }
  double headroom(SteadyTime now) const { return headroom_.headroom(now); }
  int in_flight() const { return in_flight_; }

 private:
  void count_failure(Millis first_pause, SteadyTime now);

  ServiceTime service_;
  DecayedMoments first_event_ms_;
  DecayedMoments tokens_per_second_;
  DecayedMoments duration_ms_;
  DecayedDurations usual_first_event_;
  DecayedDurations usual_duration_;
  DecayedMoments failed_;
  DecayedMoments cached_share_;
  RateHeadroom headroom_;

  int failures_in_a_row_ = 0;
  bool broken_ = false;
  bool probing_ = false;  // the one request that a half-open breaker lets through
  SteadyTime closed_until_{};
  Millis pause_ = kFirstPause;
  std::optional<Error> last_error_;

  int in_flight_ = 0;
};

}  // namespace minimill::cloud
