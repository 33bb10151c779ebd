#include "peers.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace minimill::bench {
namespace {

constexpr std::uint32_t kBits = 18;
constexpr std::uint32_t kSize = 1U << kBits;

std::map<std::uint32_t, int> counts_of(const route::Features& features) {
  std::map<std::uint32_t, int> counts;
  for (const std::uint32_t hash : features.words) ++counts[hash & (kSize - 1)];
  return counts;
}

double mean_of(const std::vector<double>& values) {
  return values.empty() ? 0
                        : std::accumulate(values.begin(), values.end(), 0.0) /
                              static_cast<double>(values.size());
}

}  // namespace

TextSpace::TextSpace(const std::vector<const route::Features*>& train) : rarity_(kSize) {
  std::vector<int> containing(kSize);
  for (const route::Features* each : train) {
    for (const auto& [bucket, count] : counts_of(*each)) ++containing[bucket];
  }
  const auto texts = static_cast<double>(train.size());
  for (std::uint32_t i = 0; i < kSize; ++i) {
    rarity_[i] = static_cast<float>(std::log((1 + texts) / (1 + containing[i])) + 1);
  }
}

SparseText TextSpace::of(const route::Features& features) const {
  SparseText text;
  float squares = 0;
  for (const auto& [bucket, count] : counts_of(features)) {
    const float value = (1 + std::log(static_cast<float>(count))) * rarity_[bucket];
    text.emplace_back(bucket, value);
    squares += value * value;
  }
  for (auto& [bucket, value] : text) value /= std::sqrt(squares) + 1e-9F;
  return text;
}

Ridge::Ridge(const std::vector<SparseText>& texts, const std::vector<double>& targets,
             double penalty)
    : mean_(mean_of(targets)), weights_(kSize) {
  // (XᵀX + penalty·I) w = Xᵀy, without forming XᵀX.
  const auto apply = [&](const std::vector<double>& w) {
    std::vector<double> out(kSize);
    for (std::uint32_t i = 0; i < kSize; ++i) out[i] = penalty * w[i];
    for (const SparseText& text : texts) {
      double product = 0;
      for (const auto& [bucket, value] : text) product += value * w[bucket];
      for (const auto& [bucket, value] : text) out[bucket] += value * product;
    }
    return out;
  };
  const auto dot = [](const std::vector<double>& a, const std::vector<double>& b) {
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  };
  std::vector<double> residual(kSize);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    for (const auto& [bucket, value] : texts[i]) residual[bucket] += value * (targets[i] - mean_);
  }
  std::vector<double> direction = residual;
  double squares = dot(residual, residual);
  const double enough = squares * 1e-6;
  constexpr int kMostSteps = 60;
  for (int step = 0; step < kMostSteps && squares > enough; ++step) {
    const std::vector<double> image = apply(direction);
    const double length = squares / dot(direction, image);
    for (std::uint32_t i = 0; i < kSize; ++i) {
      weights_[i] += length * direction[i];
      residual[i] -= length * image[i];
    }
    const double next = dot(residual, residual);
    for (std::uint32_t i = 0; i < kSize; ++i) {
      direction[i] = residual[i] + next / squares * direction[i];
    }
    squares = next;
  }
}

double Ridge::score(const SparseText& text) const {
  double score = mean_;
  for (const auto& [bucket, value] : text) score += value * weights_[bucket];
  return score;
}

Neighbours::Neighbours(std::vector<SparseText> texts, std::vector<double> targets, std::size_t k)
    : k_(k), mean_(mean_of(targets)), targets_(std::move(targets)), postings_(kSize) {
  for (std::uint32_t i = 0; i < texts.size(); ++i) {
    for (const auto& [bucket, value] : texts[i]) postings_[bucket].emplace_back(i, value);
  }
}

double Neighbours::score(const SparseText& text) const {
  std::vector<float> cosines(targets_.size());
  for (const auto& [bucket, value] : text) {
    for (const auto& [other, theirs] : postings_[bucket]) cosines[other] += value * theirs;
  }
  std::vector<std::uint32_t> order(targets_.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto k = static_cast<std::ptrdiff_t>(std::min(k_, order.size()));
  std::ranges::partial_sort(order, order.begin() + k, std::ranges::greater{},
                            [&cosines](std::uint32_t i) { return cosines[i]; });
  double sum = mean_;  // drawn a little towards the mean of all
  double weight = 1;
  for (auto each = order.begin(); each != order.begin() + k; ++each) {
    sum += cosines[*each] * targets_[*each];
    weight += cosines[*each];
  }
  return sum / weight;
}

}  // namespace minimill::bench
