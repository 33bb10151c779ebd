#pragma once

// What people can read off a text, weighed: a linear model in log-odds over the dense features. Its
// weights start from a prior that ships as numbers and move by AdaGrad (Duchi, Hazan, Singer 2011).

#include <array>
#include <string>
#include <string_view>

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

class ReadableModel {
 public:
  /// Starts from `bias`, and from the shipped weights times `share`.
  ReadableModel(double bias, double share) : bias_(bias), share_(share) {}

  double score(const Features& features) const;
  /// What a feature moves the score by, held against an everyday text.
  double contribution(const Features& features, std::size_t feature) const;
  /// `error`: the estimate less what came true.
  void update(const Features& features, double error);

  void append_state(std::string& out) const;
  /// Takes its state off the front of `bytes`; kCorrupt where there is none.
  Result<> take_state(std::string_view& bytes);

 private:
  struct Weight {
    float value = 0;
    float squares = 0;  // sum of squared gradients
  };
  double weight(std::size_t feature) const;
  static void step(Weight& weight, double gradient);

  double bias_;
  double share_;
  std::array<Weight, kDenseCount + 1> learnt_;  // the last is the bias
};

}  // namespace minimill::route
