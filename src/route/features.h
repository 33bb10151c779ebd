#pragma once

// What the difficulty model reads off a piece of work: a few features that people understand, and
// hashed words and characters (Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask
// Learning"). Bounded: of a long text the beginning and the end are read.

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "route/route_input.h"

namespace minimill::route {

enum DenseFeature : std::size_t {
  kLength,
  kLines,
  kDigits,
  kNumbers,
  kQuantityWords,
  kArithmetic,
  kReasoning,
  kDesign,
  kWriting,
  kCode,
  kMathSymbols,
  kExtraction,
  kChoice,
  kShortAnswer,
  kQuestions,
  kTools,
  kImages,
  kTurns,
  kWantsJson,
  kDenseCount,
};

/// The feature's name in prior_weights.inc, and what it says of a text, for people.
struct FeatureName {
  std::string_view id;
  std::string_view meaning;
  /// Of an everyday text: what is below it says the opposite. 0 where only its presence says
  /// anything.
  float typical = 0;
  std::string_view opposite = {};
};
const FeatureName& feature_name(std::size_t feature);

/// Hashes are of 32 bits; who learns from them chooses how many buckets there are.
struct Features {
  std::array<float, kDenseCount> dense{};  // each about 0 to 2
  std::vector<std::uint32_t> words;        // words and pairs of words, in order
  std::vector<std::uint32_t> characters;   // four bytes in a row
  // Of the text's beginning, where it says what is to be done:
  std::vector<std::uint32_t> skill_words;  // words and pairs of words
  std::vector<std::uint32_t> skill_runs;   // three to five bytes in a row, within words
};

Features extract_features(const RouteInput& input);

/// Tells works apart; never 0.
std::uint32_t fingerprint(const Features& features);

}  // namespace minimill::route
