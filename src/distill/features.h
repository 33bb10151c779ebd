#pragma once

// A text as a short vector: hashed words and pairs of words, and runs of three to five characters
// within words (Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask Learning";
// McNamee & Mayfield 2004 for the runs), counted sublinearly, weighed by rarity in what was learnt
// from (inverse document frequency, Spärck Jones 1972) and brought to Euclidean length one.
//
//   TextFeatures features = TextFeatures::fit(texts);
//   std::vector<Term> terms = features.of("Where is my card?");

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minimill::distill {

struct Term {
  std::uint32_t bucket = 0;
  float value = 0;
};

class TextFeatures {
 public:
  static constexpr std::uint32_t kMinBits = 8;
  static constexpr std::uint32_t kMaxBits = 17;
  static constexpr std::size_t kMostBytes = 4096;  // of a long text the beginning is read

  TextFeatures() = default;
  /// As many buckets as the distinct terms in `texts` need, within the bounds.
  static TextFeatures fit(std::span<const std::string_view> texts,
                          std::uint32_t most_bits = kMaxBits);

  /// Buckets in rising order, each once; empty for a text without words.
  std::vector<Term> of(std::string_view text) const;
  /// The share of a text's words and pairs that were in what was learnt from, weighed by how rare
  /// they are: 0 for a text that says nothing familiar.
  double familiarity(std::string_view text) const;

  std::uint32_t size() const { return std::uint32_t{1} << bits_; }

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  std::uint32_t bits_ = kMinBits;
  std::uint32_t texts_ = 0;
  std::vector<std::uint16_t> containing_;  // texts that have the bucket's term
};

/// The 32-bit hash of a term; FNV-1a with a last mix, the same on every machine.
std::uint32_t term_hash(std::string_view term, std::uint32_t seed = 0);

}  // namespace minimill::distill
