#pragma once

// Which of the providers that could serve a request shall: a pure function of what is known of
// each.
//
//   Choice choice = choose(facts, preference_of("balanced"), kQualityMargin);
//   facts[choice.order.front()]   // the best; the others are next in line when it fails
//   choice.why                    // "groq: 0.4 s, 0.02 ct, steady; openai 1.3 times slower"
//
// The score is an explicit utility, in logarithms, so that "twice as slow" weighs as much as "twice
// as dear" where the user's weights are the same:
//
//   fast · ln(duration) + cheap · ln(price) + steady · (ln(p95 ÷ median) + 4 · error rate)
//
// lower is better. A duration that little is known of is drawn to one better than the best known
// (optimism in the face of uncertainty; Lai and Robbins, 1985), so that every provider is tried,
// and tried again once what is known of it has grown old.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "cloud/health.h"

namespace minimill::cloud {

struct Preference {
  double fast = 1;
  double cheap = 1;
  double steady = 0.5;
  bool operator==(const Preference&) const = default;
};

/// "fast", "cheap", "steady" or "balanced".
Result<Preference> parse_preference(std::string_view text);

/// A model is not asked where its answers pass this much less often than the best one's.
inline constexpr double kQualityMargin = 0.1;

/// What is known of one candidate for one task.
struct Facts {
  std::string name;                    // as told in `why`
  double expected_s = 0;               // of this task, by what was measured
  double known = 0;                    // by how many recent answers; 0: expected_s says nothing
  std::optional<double> price_usd;     // of this task; nullopt: unknown, taken for the dearest
  double spread = 1;                   // p95 ÷ median, ≥ 1
  double error_rate = 0;               // 0 … 1
  double headroom = 1;                 // 0 … 1
  double quality = 1;                  // share of answers to this operation that pass, estimated
  Breaker breaker = Breaker::kClosed;  //
  std::optional<Millis> wait =
      Millis{0};  // until it may be asked; nullopt: until one under way ends
};

struct Choice {
  std::vector<std::size_t> order;  // of those that may be asked now, the best first
  std::string why;                 // one line; empty where there is nobody to ask
};

Choice choose(std::span<const Facts> candidates, const Preference& preference,
              double quality_margin);

}  // namespace minimill::cloud
