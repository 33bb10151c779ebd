#pragma once

// What a router must beat: ridge regression on the words (which LLMRouterBench, 2026, finds that
// several recent routers do not), and the nearest neighbours.

#include <cstdint>
#include <utility>
#include <vector>

#include "route/features.h"

namespace minimill::bench {

/// A text's words and pairs of words, weighted by frequency and rarity, of length one.
using SparseText = std::vector<std::pair<std::uint32_t, float>>;

class TextSpace {
 public:
  /// Learns how rare words are.
  explicit TextSpace(const std::vector<const route::Features*>& train);
  SparseText of(const route::Features& features) const;

 private:
  std::vector<float> rarity_;
};

/// Least squares with a penalty on the weights, solved by conjugate gradients.
class Ridge {
 public:
  Ridge(const std::vector<SparseText>& texts, const std::vector<double>& targets, double penalty);
  double score(const SparseText& text) const;

 private:
  double mean_ = 0;
  std::vector<double> weights_;
};

/// The mean target of the k nearest, weighted by cosine.
class Neighbours {
 public:
  Neighbours(std::vector<SparseText> texts, std::vector<double> targets, std::size_t k);
  double score(const SparseText& text) const;

 private:
  std::size_t k_;
  double mean_ = 0;
  std::vector<double> targets_;
  std::vector<std::vector<std::pair<std::uint32_t, float>>> postings_;
};

}  // namespace minimill::bench
