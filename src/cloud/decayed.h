#pragma once

// Statistics of the last hour: every observation's weight decays exponentially, with time constant
// kMemory, so that what a provider did yesterday does not speak for it today. Values; the caller
// brings the time, which may only go forward (what goes back is taken as no time at all).

#include <array>
#include <chrono>
#include <cstddef>

#include "base/clock.h"

namespace minimill::cloud {

/// Mean, spread and count. West's incremental weighted moments (CACM 22(9), 1979).
class DecayedMoments {
 public:
  explicit DecayedMoments(std::chrono::nanoseconds memory = std::chrono::hours{1})
      : memory_(memory) {}

  void add(double value, SteadyTime now);
  double weight(SteadyTime now) const;  // as many fresh observations as they are worth
  double mean() const { return mean_; }
  double variance() const;  // 0 until two observations

 private:
  std::chrono::nanoseconds memory_;
  SteadyTime at_{};
  double weight_ = 0;
  double mean_ = 0;
  double squares_ = 0;  // weighted sum of squared deviations
};

/// Quantiles of durations, from buckets that are 10 % wide: 1 ms … 10 min.
class DecayedDurations {
 public:
  void add(std::chrono::nanoseconds duration, SteadyTime now);
  double weight(SteadyTime now) const;
  /// The upper edge of the bucket that the q-quantile falls into; 0 where nothing is known.
  Millis quantile(double q) const;

 private:
  static constexpr std::size_t kBuckets = 142;
  std::array<double, kBuckets> counts_{};
  double weight_ = 0;  // their sum
  SteadyTime at_{};
};

/// How long an answer of so many tokens takes: a line through (tokens, seconds) by least squares,
/// whose intercept is the time to the first token and whose slope is 1 / (tokens per second). Where
/// all answers were of one length the slope is drawn to a usual one (ridge regression; Hoerl and
/// Kennard, Technometrics 12(1), 1970).
class ServiceTime {
 public:
  void add(double tokens, double seconds, SteadyTime now);
  double weight(SteadyTime now) const;
  /// At least 0; meaningless at weight 0.
  double expected_s(double tokens) const;

 private:
  SteadyTime at_{};
  double weight_ = 0;
  double mean_tokens_ = 0;
  double mean_s_ = 0;
  double tokens_squares_ = 0;
  double product_ = 0;
};

}  // namespace minimill::cloud
