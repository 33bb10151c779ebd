#include "cloud/decayed.h"

#include <algorithm>
#include <cmath>

namespace minimill::cloud {
namespace {

constexpr std::chrono::hours kMemory{1};
constexpr double kBucketRatio = 1.1;
constexpr double kUsualSecondsPerToken = 0.01;
constexpr double kSlopeTrust = 400;  // tokens²: worth one answer that is 20 tokens off the mean

double decay(std::chrono::nanoseconds passed, std::chrono::nanoseconds memory) {
  if (passed.count() <= 0) return 1;
  return std::exp(-in_ms(passed) / in_ms(memory));
}

}  // namespace

void DecayedMoments::add(double value, SteadyTime now) {
  const double kept = decay(now - at_, memory_);
  at_ = std::max(at_, now);
  weight_ = weight_ * kept + 1;
  squares_ *= kept;
  const double off = value - mean_;
  mean_ += off / weight_;
  squares_ += off * (value - mean_);
}

double DecayedMoments::weight(SteadyTime now) const { return weight_ * decay(now - at_, memory_); }

double DecayedMoments::variance() const { return weight_ > 1 ? squares_ / weight_ : 0; }

void DecayedDurations::add(std::chrono::nanoseconds duration, SteadyTime now) {
  const double kept = decay(now - at_, kMemory);
  at_ = std::max(at_, now);
  for (double& count : counts_) count *= kept;
  const double bucket =
      std::ceil(std::log(std::max(1.0, in_ms(duration))) / std::log(kBucketRatio));
  counts_[std::min(kBuckets - 1, static_cast<std::size_t>(bucket))] += 1;
  weight_ = weight_ * kept + 1;
}

double DecayedDurations::weight(SteadyTime now) const {
  return weight_ * decay(now - at_, kMemory);
}

Millis DecayedDurations::quantile(double q) const {
  double sum = 0;
  for (const double count : counts_) sum += count;
  if (sum <= 0) return Millis{0};
  double below = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    below += counts_[i];
    if (below >= q * sum) {
      return Millis{
          static_cast<Millis::rep>(std::ceil(std::pow(kBucketRatio, static_cast<double>(i))))};
    }
  }
  return Millis{static_cast<Millis::rep>(std::pow(kBucketRatio, static_cast<double>(kBuckets)))};
}

void ServiceTime::add(double tokens, double seconds, SteadyTime now) {
  const double kept = decay(now - at_, kMemory);
  at_ = std::max(at_, now);
  weight_ = weight_ * kept + 1;
  tokens_squares_ *= kept;
  product_ *= kept;
  const double off_tokens = tokens - mean_tokens_;
  mean_tokens_ += off_tokens / weight_;
  mean_s_ += (seconds - mean_s_) / weight_;
  tokens_squares_ += off_tokens * (tokens - mean_tokens_);
  product_ += off_tokens * (seconds - mean_s_);
}

double ServiceTime::weight(SteadyTime now) const { return weight_ * decay(now - at_, kMemory); }

double ServiceTime::expected_s(double tokens) const {
  const double slope = std::max(
      0.0, (product_ + kSlopeTrust * kUsualSecondsPerToken) / (tokens_squares_ + kSlopeTrust));
  // A first token takes no less than no time: where the usual slope says so, it is the slope that
  // is too steep.
  const double steepest = mean_tokens_ > 0 ? mean_s_ / mean_tokens_ : slope;
  const double taken = std::min(slope, steepest);
  return std::max(0.0, mean_s_ + taken * (tokens - mean_tokens_));
}

}  // namespace minimill::cloud
