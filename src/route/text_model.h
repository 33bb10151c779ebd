#pragma once

// What the words and runs of characters of a text say, weighed: a linear model in log-odds over
// hashed terms weighted by rarity (Weinberger et al. 2009, "Feature Hashing for Large Scale
// Multitask Learning"). It starts from nought and takes small stochastic gradient steps: over one
// pass their size bounds how far the weights go, as a ridge penalty would; how much the result is
// to be trusted is the combiner's matter.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "route/features.h"
#include "route/vocabulary.h"

namespace minimill::route {

/// A text's terms, for every model the same.
class TextTerms {
 public:
  std::vector<Term> of(const Features& features) const;
  /// Counts the text's words.
  void add(const Features& features);

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  Vocabulary words_;
  Vocabulary characters_;
};

class TextModel {
 public:
  TextModel();

  double score(std::span<const Term> terms) const;
  /// `error`: the estimate less what came true.
  void update(std::span<const Term> terms, double error);

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  std::vector<float> weights_;  // words, then characters
};

}  // namespace minimill::route
