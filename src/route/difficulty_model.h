#pragma once

// P(the local answer is good enough | text): logistic regression over Features, a fixed prior plus
// weights learnt online by AdaGrad (Duchi, Hazan, Singer 2011). An update is linear in the text
// read and constant in everything learnt before.

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "route/features.h"

namespace minimill::route {

/// exp and log of odds.
double sigmoid(double log_odds);
double log_odds(double probability);

/// The weights that ship: src/route/prior_weights.inc, made by scripts/train_prior.
struct Prior {
  double bias = 0;
  std::array<double, kDenseCount> dense{};
};
const Prior& shipped_prior();

class DifficultyModel {
 public:
  DifficultyModel();

  /// In log-odds: what is readable plus what was learnt of words and characters.
  double score(const Features& features) const {
    return readable_score(features) + learnt_contribution(features);
  }
  double readable_score(const Features& features) const;
  /// What a dense feature moves the score by, held against an everyday text.
  double contribution(const Features& features, std::size_t feature) const;
  /// The part of words and characters: what was learnt from texts like this.
  double learnt_contribution(const Features& features) const;

  void update(const Features& features, bool local_ok, double weight, double learning_rate);

  void append_state(std::string& out) const;
  /// Takes its state off the front of `bytes`; kCorrupt where there is none.
  Result<> take_state(std::string_view& bytes);

 private:
  struct Weight {
    float value = 0;
    float squares = 0;  // sum of squared gradients
  };
  double weight(std::size_t feature) const;
  static void step(Weight& weight, double gradient, double learning_rate);
  double sum(const std::vector<std::uint32_t>& buckets, std::size_t offset) const;

  std::array<Weight, kDenseCount + 1> dense_;  // the last is the bias
  std::vector<Weight> hashed_;                 // words, then characters
};

}  // namespace minimill::route
