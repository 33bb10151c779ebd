#include "route/difficulty_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace minimill::route {
namespace {

constexpr Prior kShipped{
#include "route/prior_weights.inc"
};

constexpr std::size_t kWordOffset = 0;
constexpr std::size_t kCharacterOffset = kBuckets;

double root(const std::vector<std::uint32_t>& buckets) {
  return std::sqrt(static_cast<double>(buckets.size()) + 1);
}

}  // namespace

double sigmoid(double odds) { return 1 / (1 + std::exp(-odds)); }

double log_odds(double probability) {
  constexpr double kLeast = 1e-6;
  const double p = std::clamp(probability, kLeast, 1 - kLeast);
  return std::log(p / (1 - p));
}

const Prior& shipped_prior() { return kShipped; }

DifficultyModel::DifficultyModel() : hashed_(std::size_t{2} * kBuckets) {}

double DifficultyModel::sum(const std::vector<std::uint32_t>& buckets, std::size_t offset) const {
  double total = 0;
  for (const std::uint32_t bucket : buckets) total += hashed_[offset + bucket].value;
  return total / root(buckets);
}

double DifficultyModel::weight(std::size_t feature) const {
  return kShipped.dense[feature] + dense_[feature].value;
}

double DifficultyModel::contribution(const Features& features, std::size_t feature) const {
  return weight(feature) * (features.dense[feature] - feature_name(feature).typical);
}

double DifficultyModel::learnt_contribution(const Features& features) const {
  return sum(features.words, kWordOffset) + sum(features.characters, kCharacterOffset);
}

double DifficultyModel::readable_score(const Features& features) const {
  double score = kShipped.bias + dense_[kDenseCount].value;
  for (std::size_t i = 0; i < kDenseCount; ++i) score += weight(i) * features.dense[i];
  return score;
}

void DifficultyModel::step(Weight& weight, double gradient, double learning_rate) {
  constexpr double kSmall = 1;  // one outcome moves a text like it by about half a unit of log-odds
  weight.squares += static_cast<float>(gradient * gradient);
  weight.value -= static_cast<float>(learning_rate * gradient / std::sqrt(weight.squares + kSmall));
}

void DifficultyModel::update(const Features& features, bool local_ok, double weight,
                             double learning_rate) {
  const double error = weight * (sigmoid(score(features)) - (local_ok ? 1.0 : 0.0));
  step(dense_[kDenseCount], error, learning_rate);
  for (std::size_t i = 0; i < kDenseCount; ++i) {
    if (features.dense[i] != 0) step(dense_[i], error * features.dense[i], learning_rate);
  }
  for (const std::uint32_t bucket : features.words) {
    step(hashed_[kWordOffset + bucket], error / root(features.words), learning_rate);
  }
  for (const std::uint32_t bucket : features.characters) {
    step(hashed_[kCharacterOffset + bucket], error / root(features.characters), learning_rate);
  }
}

void DifficultyModel::append_state(std::string& out) const {
  out.append(reinterpret_cast<const char*>(dense_.data()), sizeof dense_);
  out.append(reinterpret_cast<const char*>(hashed_.data()), hashed_.size() * sizeof(Weight));
}

Result<> DifficultyModel::take_state(std::string_view& bytes) {
  const std::size_t hashed_bytes = hashed_.size() * sizeof(Weight);
  if (bytes.size() < sizeof dense_ + hashed_bytes) {
    return fail(ErrorCode::kCorrupt, "the difficulty model's weights are cut off");
  }
  std::memcpy(dense_.data(), bytes.data(), sizeof dense_);
  std::memcpy(hashed_.data(), bytes.data() + sizeof dense_, hashed_bytes);
  bytes.remove_prefix(sizeof dense_ + hashed_bytes);
  const auto good = [](const Weight& weight) {
    return std::isfinite(weight.value) && std::isfinite(weight.squares);
  };
  if (!std::ranges::all_of(dense_, good) || !std::ranges::all_of(hashed_, good)) {
    return fail(ErrorCode::kCorrupt, "the difficulty model's weights are no numbers");
  }
  return {};
}

}  // namespace minimill::route
