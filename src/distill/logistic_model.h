#pragma once

// Which of a few answers? Multinomial logistic regression over TextFeatures, trained by stochastic
// gradient steps with a ridge penalty and averaged (Polyak & Juditsky 1992; Bottou 2010). A few
// dozen to ten thousand examples, two to a few hundred classes; microseconds a prediction. Weights
// are kept as bytes, with one scale a class, so that a model is as large as its file.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "distill/features.h"

namespace minimill::distill {

class LogisticModel {
 public:
  static constexpr std::size_t kMostClasses = 512;
  /// Buckets times classes: bounds memory and a file's size.
  static constexpr std::size_t kMostWeights = std::size_t{1} << 24;

  struct Example {
    std::string_view text;
    std::uint32_t label = 0;
    float weight = 1;
  };

  LogisticModel() = default;
  /// Labels are below `classes`. Pure: the same examples make the same model.
  static LogisticModel train(std::span<const Example> examples, std::size_t classes);

  /// Probabilities, one a class, summing to one; not calibrated.
  std::vector<float> predict(std::string_view text) const;
  std::size_t classes() const { return bias_.size(); }
  std::size_t weights() const { return weights_.size(); }
  const TextFeatures& features() const { return features_; }

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  TextFeatures features_;
  std::vector<float> bias_;           // one a class
  std::vector<float> scale_;          // one a class
  std::vector<std::int8_t> weights_;  // a row a bucket, a column a class
};

}  // namespace minimill::distill
