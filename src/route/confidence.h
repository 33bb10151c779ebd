#pragma once

// What the local model's own token probabilities add to the router's estimate: P(the answer is good
// enough | the router's estimate before, mean log-probability of the tokens so far).
//
// In log-odds: estimate + slope · (mean log-probability − usual). Slope and usual are learnt online
// by logistic regression from answers whose outcome became known (checks, feedback); they start
// from a prior, so that nothing surprising happens before there is evidence. Confidence as a signal
// for handing over to a larger model is that of cascades: Gupta et al. 2024, "Language Model
// Cascades: Token-Level Uncertainty and Beyond".

#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "chat/chat_event.h"

namespace minimill::route {

/// 0 where there are no tokens.
double mean_logprob(std::span<const chat::TokenLogprob> tokens);

class Confidence {
 public:
  /// The estimate after seeing tokens of this mean log-probability.
  double p_ok(double p_before, double mean_logprob) const;
  void learn(double p_before, double mean_logprob, bool ok);

  std::int64_t outcomes() const { return outcomes_; }
  double slope() const { return slope_; }
  double usual() const { return -offset_ / slope_; }

  /// One line of text, read back by parse(); kCorrupt for anything else.
  std::string to_text() const;
  static Result<Confidence> parse(std::string_view text);

 private:
  double slope_ = 1.0;  // per nat
  double offset_ =
      1.2;  // −slope · usual: a small model at its usual temperature writes tokens of −1.2
  double slope_squares_ = 1;
  double offset_squares_ = 1;
  std::int64_t outcomes_ = 0;
};

}  // namespace minimill::route
