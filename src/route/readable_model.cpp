#include "route/readable_model.h"

#include <algorithm>
#include <cmath>

#include "route/state_bytes.h"

namespace minimill::route {
namespace {

constexpr Prior kShipped{
#include "route/prior_weights.inc"
};

constexpr double kStep = 0.3;
constexpr double kFirstSquares = 1;

}  // namespace

double sigmoid(double odds) { return 1 / (1 + std::exp(-odds)); }

double log_odds(double probability) {
  constexpr double kLeast = 1e-6;
  const double p = std::clamp(probability, kLeast, 1 - kLeast);
  return std::log(p / (1 - p));
}

const Prior& shipped_prior() { return kShipped; }

double ReadableModel::weight(std::size_t feature) const {
  return share_ * kShipped.dense[feature] + learnt_[feature].value;
}

double ReadableModel::contribution(const Features& features, std::size_t feature) const {
  return weight(feature) * (features.dense[feature] - feature_name(feature).typical);
}

double ReadableModel::score(const Features& features) const {
  double score = bias_ + learnt_[kDenseCount].value;
  for (std::size_t i = 0; i < kDenseCount; ++i) score += weight(i) * features.dense[i];
  return score;
}

void ReadableModel::step(Weight& weight, double gradient) {
  weight.squares += static_cast<float>(gradient * gradient);
  weight.value -= static_cast<float>(kStep * gradient / std::sqrt(weight.squares + kFirstSquares));
}

void ReadableModel::update(const Features& features, double error) {
  step(learnt_[kDenseCount], error);
  for (std::size_t i = 0; i < kDenseCount; ++i) {
    if (features.dense[i] != 0) step(learnt_[i], error * features.dense[i]);
  }
}

void ReadableModel::append_state(std::string& out) const {
  for (const Weight& weight : learnt_) {
    append_number(out, weight.value);
    append_number(out, weight.squares);
  }
}

Result<> ReadableModel::take_state(std::string_view& bytes) {
  for (Weight& weight : learnt_) {
    const bool whole = take_number(bytes, weight.value) && take_number(bytes, weight.squares);
    constexpr float kMostWeight = 100;
    if (!whole || weight.squares < 0 || std::abs(weight.value) > kMostWeight) {
      return fail(ErrorCode::kCorrupt, "what was learnt of readable features is damaged");
    }
  }
  return {};
}

}  // namespace minimill::route
