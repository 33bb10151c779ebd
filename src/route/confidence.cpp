#include "route/confidence.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "route/readable_model.h"

namespace minimill::route {
namespace {

constexpr double kLearningRate = 0.2;
constexpr double kLeastSlope = 0.1;  // a surer model is never taken for a worse one
constexpr double kMostSlope = 10;
constexpr double kLeastLogprob = -10;  // one odd token must not outweigh all others
constexpr double kMostOffset = 50;

double bounded(double mean) { return std::clamp(mean, kLeastLogprob, 0.0); }

}  // namespace

double mean_logprob(std::span<const chat::TokenLogprob> tokens) {
  if (tokens.empty()) return 0;
  double sum = 0;
  for (const chat::TokenLogprob& token : tokens) sum += bounded(token.logprob);
  return sum / static_cast<double>(tokens.size());
}

double Confidence::p_ok(double p_before, double mean) const {
  return sigmoid(log_odds(p_before) + slope_ * bounded(mean) + offset_);
}

void Confidence::learn(double p_before, double mean, bool ok) {
  const double gradient = p_ok(p_before, mean) - (ok ? 1.0 : 0.0);
  const double by_slope = gradient * bounded(mean);
  slope_squares_ += by_slope * by_slope;
  offset_squares_ += gradient * gradient;
  slope_ = std::clamp(slope_ - kLearningRate * by_slope / std::sqrt(slope_squares_), kLeastSlope,
                      kMostSlope);
  offset_ = std::clamp(offset_ - kLearningRate * gradient / std::sqrt(offset_squares_),
                       -kMostOffset, kMostOffset);
  ++outcomes_;
}

std::string Confidence::to_text() const {
  return fmt::format("{} {} {} {} {}", slope_, offset_, slope_squares_, offset_squares_, outcomes_);
}

Result<Confidence> Confidence::parse(std::string_view text) {
  Confidence read;
  const char* at = text.data();
  const char* end = at + text.size();
  const auto next = [&at, end](auto& number) {
    while (at < end && *at == ' ') ++at;
    const auto [stop, ec] = std::from_chars(at, end, number);
    at = stop;
    return ec == std::errc{};
  };
  const bool whole = next(read.slope_) && next(read.offset_) && next(read.slope_squares_) &&
                     next(read.offset_squares_) && next(read.outcomes_) && at == end;
  const bool sane = whole && read.slope_ >= kLeastSlope && read.slope_ <= kMostSlope &&
                    std::abs(read.offset_) <= kMostOffset && read.slope_squares_ >= 1 &&
                    std::isfinite(read.slope_squares_) && read.offset_squares_ >= 1 &&
                    std::isfinite(read.offset_squares_) && read.outcomes_ >= 0;
  if (sane) return read;
  return fail(ErrorCode::kCorrupt, "what was learnt of token probabilities is damaged");
}

}  // namespace minimill::route
