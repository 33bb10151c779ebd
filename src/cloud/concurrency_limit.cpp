#include "cloud/concurrency_limit.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace minimill::cloud {
namespace {

constexpr std::chrono::minutes kBelieved{5};
constexpr double kLeastStep = 0.25;  // a round trip

/// Of twice as many at once: 2 is a queue, 1 a provider with room.
constexpr double kQueueing = 1.75;
constexpr double kQueueingForSure = 1.5;
constexpr double kSure = 3;  // standard errors
constexpr double kWorthHoldingBack_s = 1;
constexpr double kFewest = 10;  // observations of a level from which it is believed

}  // namespace

void LatencyProfile::add(int at_once, double slowdown, std::chrono::nanoseconds duration,
                         SteadyTime now) {
  if (!(slowdown > 0) || !std::isfinite(slowdown)) return;
  const auto level =
      static_cast<std::size_t>(std::bit_width(static_cast<unsigned>(std::max(at_once, 1))) - 1);
  Level& at = levels_[std::min(level, kLevels - 1)];
  at.log_slowdown.add(std::log(slowdown), now);
  at.seconds.add(std::chrono::duration<double>(duration).count(), now);
}

std::optional<int> LatencyProfile::knee(SteadyTime now) const {
  for (std::size_t i = 1; i < kLevels; ++i) {
    const Level& half = levels_[i - 1];
    const Level& twice = levels_[i];
    const double halfs = half.log_slowdown.weight(now);
    const double twices = twice.log_slowdown.weight(now);
    if (halfs < kFewest || twices < kFewest) continue;
    const double growth = twice.log_slowdown.mean() - half.log_slowdown.mean();
    const double error =
        std::sqrt(half.log_slowdown.variance() / halfs + twice.log_slowdown.variance() / twices);
    const bool queues =
        growth >= std::log(kQueueing) && growth - kSure * error >= std::log(kQueueingForSure);
    const double lost_s = twice.seconds.mean() - half.seconds.mean();
    if (queues && lost_s >= kWorthHoldingBack_s) return 1 << i;
  }
  return std::nullopt;
}

ConcurrencyLimit::ConcurrencyLimit(std::optional<int> most)
    : most_(most ? std::max(1.0, static_cast<double>(*most)) : kHighest),
      window_(std::min(kFirst, most_)) {}

ConcurrencyLimit::Permit ConcurrencyLimit::begin(SteadyTime now) {
  ++in_flight_;
  return {.number = next_number_++, .at_once = in_flight_, .began = now};
}

void ConcurrencyLimit::end() { in_flight_ = std::max(0, in_flight_ - 1); }

void ConcurrencyLimit::accepted(const Permit& permit, std::optional<double> slowdown,
                                SteadyTime now) {
  pause_ = kFirstPause;
  if (slowdown) {
    profile_.add(permit.at_once, *slowdown, now - permit.began, now);
    look_for_knee(now);
  }
  const bool is_used = 2 * permit.at_once >= limit();
  if (!is_used || (knee_ && window_ >= *knee_)) return;
  const double step =
      ceiling_ ? std::clamp(std::abs(*ceiling_ - window_) / 2, kLeastStep, window_) : window_;
  window_ = std::min(most_, window_ + step / window_);
}

/// A knee that holds us back is seen no more, as nothing goes beyond it: it is believed for a
/// while, and then tried at twice as many.
void ConcurrencyLimit::look_for_knee(SteadyTime now) {
  const std::optional<int> found = profile_.knee(now);
  if (found && (!knee_ || *found <= *knee_)) {
    knee_ = found;
    try_more_at_ = now + kBelieved;
  } else if (knee_ && now >= try_more_at_) {
    *knee_ *= 2;
    try_more_at_ = now + kBelieved;
    if (*knee_ >= window_) knee_.reset();
  }
}

ConcurrencyLimit::Refusal ConcurrencyLimit::refused(const Permit& permit) {
  const int others = in_flight_ - 1;
  if (permit.number >= heard_from_) {
    heard_from_ = next_number_;
    double taken = window_;
    if (others > 0) {
      taken = std::min(window_, static_cast<double>(in_flight_));
      ceiling_ = others;
    }
    window_ = std::max(1.0, taken / 2);
  }
  if (others > 0) return {.crowded = true};
  const Millis pause = pause_;
  pause_ = std::min(pause_ * 2, kLongestPause);
  return {.crowded = false, .pause = pause};
}

int ConcurrencyLimit::limit() const {
  const int window = static_cast<int>(window_);
  return std::max(1, knee_ ? std::min(window, *knee_) : window);
}

}  // namespace minimill::cloud
