#pragma once

// How much each source of evidence is to be believed: a small Bayesian logistic regression over
// log-odds, learnt one outcome at a time by the extended Kalman filter (Spiegelhalter and Lauritzen
// 1990; in this form Niranjan 1999, "Sequential Bayesian Computation of Logistic Regression
// Models"). What is learnt from is always an estimate made before its outcome was known, so that no
// source is believed for what it has merely memorised. At first the sources are expected to deserve
// about the same belief, how much of it being the open question; a little is forgotten with every
// outcome.

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill::route {

enum Source : std::size_t {
  kAlways,    // 1
  kReadable,  // the readable features
  kText,      // words and characters, as every local model has fared with them
  kOwnText,   // the same, this model
  kHistory,   // the operation's outcomes
  kNearest,   // the outcomes of the requests most like it
  kSourceCount,
};

/// Log-odds, each nought where the source says nothing.
using Evidence = std::array<double, kSourceCount>;

class Combiner {
 public:
  Combiner();

  /// Drawn towards one half where the weights are unsure (MacKay 1992).
  double probability(const Evidence& evidence) const;
  double weight(Source source) const { return mean_[source]; }
  /// What a source adds to the log-odds.
  double contribution(const Evidence& evidence, Source source) const {
    return mean_[source] * evidence[source];
  }
  /// `weight` in (0, 1]: how far the outcome is to be believed.
  void update(const Evidence& evidence, bool good, double weight);

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  double variance(const Evidence& evidence) const;
  /// Keeps weights and covariance what they can be, whatever rounding or a file made of them.
  void settle();

  std::array<double, kSourceCount> mean_{};
  std::array<std::array<double, kSourceCount>, kSourceCount> covariance_{};
};

}  // namespace minimill::route
