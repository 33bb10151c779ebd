#pragma once

// From a model's own probability to P(its answer is right): logistic regression on the log-odds of
// that probability (Platt 1999) and on a few other signs of trouble (how familiar the text is,
// which fields or class were answered, whether texts alike had other answers). Learnt from
// predictions out of fold, towards a prior that takes the model at its word, so that a few examples
// change little.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minimill::distill {

/// What is known of a prediction before its outcome.
struct Signs {
  double probability = 0;  // the model's own
  double runner_up = 0;    // of its second choice
  double familiarity = 0;  // 0 … 1
  double agreement = 0;    // −1 … 1: how texts alike were answered; 0 where there were none
  std::uint32_t words = 0;
  std::vector<std::uint32_t> parts;  // fields answered, or the class: below kMostParts
};

class Calibration {
 public:
  static constexpr std::uint32_t kMostParts = 600;

  struct Outcome {
    Signs signs;
    bool right = false;
    float weight = 1;
  };

  Calibration();
  static Calibration fit(std::span<const Outcome> outcomes);
  /// In (0, 1).
  double p_right(const Signs& signs) const;

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  std::vector<float> weights_;
};

}  // namespace minimill::distill
