#include "route/combiner.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "route/readable_model.h"
#include "route/state_bytes.h"

namespace minimill::route {
namespace {

constexpr std::array<double, kSourceCount> kFirst{0, 1, 1, 1, 1, 0.3};
// Standard deviations of what the weights may be, before anything is known: of each alone, and of a
// factor that all but the bias share.
constexpr std::array<double, kSourceCount> kSpread{0.5, 0.2, 0.2, 0.2, 0.2, 0.2};
constexpr double kSharedSpread = 0.5;
constexpr double kMostBias = 3;
constexpr double kLeastVariance = 1e-9;
constexpr double kMostBelief = 2;       // times what it starts from
constexpr double kForgetting = 1.0005;  // of certainty, per outcome
constexpr double kLeastSure = 0.02;  // estimates nearer to 0 or 1 learn as if they were this near

double shared_factor(std::size_t source) { return source == kAlways ? 0 : kFirst[source]; }

double first_covariance(std::size_t i, std::size_t j) {
  const double alone = i == j ? kSpread[i] * kSpread[i] : 0;
  return alone + kSharedSpread * kSharedSpread * shared_factor(i) * shared_factor(j);
}

}  // namespace

Combiner::Combiner() : mean_(kFirst) {
  for (std::size_t i = 0; i < kSourceCount; ++i) {
    for (std::size_t j = 0; j < kSourceCount; ++j) covariance_[i][j] = first_covariance(i, j);
  }
}

double Combiner::variance(const Evidence& evidence) const {
  double variance = 0;
  for (std::size_t i = 0; i < kSourceCount; ++i) {
    for (std::size_t j = 0; j < kSourceCount; ++j) {
      variance += evidence[i] * covariance_[i][j] * evidence[j];
    }
  }
  return std::max(variance, 0.0);
}

double Combiner::probability(const Evidence& evidence) const {
  double odds = 0;
  for (std::size_t i = 0; i < kSourceCount; ++i) odds += mean_[i] * evidence[i];
  return sigmoid(odds / std::sqrt(1 + std::numbers::pi / 8 * variance(evidence)));
}

void Combiner::update(const Evidence& evidence, bool good, double weight) {
  double odds = 0;
  for (std::size_t i = 0; i < kSourceCount; ++i) odds += mean_[i] * evidence[i];
  const double p = std::clamp(sigmoid(odds), kLeastSure, 1 - kLeastSure);
  const double noise = 1 / (weight * p * (1 - p));

  std::array<double, kSourceCount> reach{};
  for (std::size_t i = 0; i < kSourceCount; ++i) {
    for (std::size_t j = 0; j < kSourceCount; ++j) reach[i] += covariance_[i][j] * evidence[j];
  }
  const double scale = 1 / (noise + variance(evidence));
  const double surprise = ((good ? 1.0 : 0.0) - p) * noise * weight;
  for (std::size_t i = 0; i < kSourceCount; ++i) mean_[i] += reach[i] * scale * surprise;
  for (std::size_t i = 0; i < kSourceCount; ++i) {
    for (std::size_t j = 0; j < kSourceCount; ++j) {
      covariance_[i][j] -= reach[i] * reach[j] * scale;
    }
  }
  for (auto& line : covariance_) {
    for (double& each : line) each *= kForgetting;
  }
  settle();
}

void Combiner::settle() {
  // No source speaks against what it says, and none is believed without bounds: where everything
  // goes well for long, that says little about how to tell good from bad.
  mean_[kAlways] = std::clamp(mean_[kAlways], -kMostBias, kMostBias);
  for (std::size_t i = kAlways + 1; i < kSourceCount; ++i) {
    mean_[i] = std::clamp(mean_[i], 0.0, kMostBelief * kFirst[i]);
  }
  // Certainty fades, but never to less than there was at first.
  for (std::size_t i = 0; i < kSourceCount; ++i) {
    const double most = first_covariance(i, i);
    const double settled = std::clamp(covariance_[i][i], kLeastVariance, most);
    const double shrink = settled < covariance_[i][i] ? std::sqrt(settled / covariance_[i][i]) : 1;
    for (std::size_t j = 0; j < kSourceCount; ++j) {
      covariance_[i][j] *= shrink;
      covariance_[j][i] *= shrink;
    }
    covariance_[i][i] = settled;
  }
  for (std::size_t i = 0; i < kSourceCount; ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const double most = std::sqrt(covariance_[i][i] * covariance_[j][j]);
      const double settled = std::clamp(covariance_[i][j], -most, most);
      covariance_[i][j] = settled;
      covariance_[j][i] = settled;
    }
  }
}

void Combiner::append_state(std::string& out) const {
  for (const double mean : mean_) append_number(out, mean);
  for (const auto& line : covariance_) {
    for (const double each : line) append_number(out, each);
  }
}

Result<> Combiner::take_state(std::string_view& bytes) {
  bool whole = true;
  for (double& mean : mean_) whole = whole && take_number(bytes, mean);
  for (auto& line : covariance_) {
    for (double& each : line) whole = whole && take_number(bytes, each);
  }
  if (whole) {
    settle();
    return {};
  }
  return fail(ErrorCode::kCorrupt, "how far evidence is to be believed is damaged");
}

}  // namespace minimill::route
