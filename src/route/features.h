#pragma once

// What the difficulty model reads off a piece of work: a few features that people understand, and
// hashed words and characters (Weinberger et al. 2009, "Feature Hashing for Large Scale Multitask
// Learning"). Bounded: of a long text the beginning and the end are read.

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "route/router.h"

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

inline constexpr std::uint32_t kHashBits = 15;
inline constexpr std::uint32_t kBuckets = 1U << kHashBits;

struct Features {
  std::array<float, kDenseCount> dense{};  // each about 0 to 2
  std::vector<std::uint32_t> words;        // buckets of words and pairs of words, in order
  std::vector<std::uint32_t> characters;   // buckets of four bytes in a row
};

Features extract_features(const RouteInput& input);

/// Tokens this text takes, roughly: for whether it fits a context.
std::int64_t estimated_tokens(std::size_t bytes);

}  // namespace minimill::route
