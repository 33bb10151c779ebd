#include "cloud/choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>

namespace minimill::cloud {
namespace {

constexpr double kOptimism = 0.7;           // of the best known duration
constexpr double kUnknownDuration_s = 0.5;  // where nobody's is known
constexpr double kPriorAnswers = 1;         // what the optimism is worth
constexpr double kLeastDuration_s = 0.001;
constexpr double kLeastPrice_usd =
    1e-6;  // what is free is not infinitely cheaper than next to free
constexpr double kErrorWeight = 4;
constexpr double kScarce = 0.2;  // headroom below which a provider is spared for later
constexpr double kMostErrors = 0.9;
constexpr double kSteady = 1.8;  // p95 ÷ median up to which a provider is called steady
constexpr double kFewAnswers = 1;
constexpr std::size_t kMaxTold = 4;  // others in one explanation

/// A candidate's three terms, weighed; the sum is its score.
struct Terms {
  double duration_s = 0;
  double price_usd = 0;
  double fast = 0;
  double cheap = 0;
  double steady = 0;
  double scarce = 0;
  double score() const { return fast + cheap + steady + scarce; }
};

double optimistic_s(const Facts& facts, double prior_s) {
  return (facts.known * facts.expected_s + kPriorAnswers * prior_s) / (facts.known + kPriorAnswers);
}

double prior_duration_s(std::span<const Facts> candidates) {
  double best = std::numeric_limits<double>::infinity();
  for (const Facts& facts : candidates) {
    if (facts.known >= kFewAnswers) best = std::min(best, facts.expected_s);
  }
  return std::isfinite(best) ? kOptimism * best : kUnknownDuration_s;
}

double dearest_usd(std::span<const Facts> candidates) {
  double dearest = 0;
  for (const Facts& facts : candidates) dearest = std::max(dearest, facts.price_usd.value_or(0));
  return dearest;
}

Terms terms_of(const Facts& facts, const Preference& preference, double prior_s,
               double unknown_price_usd) {
  Terms terms;
  // The probe of a breaker that is half-open asks whether the errors are over.
  const double errors =
      facts.breaker == Breaker::kClosed ? std::clamp(facts.error_rate, 0.0, kMostErrors) : 0;
  terms.duration_s = std::max(kLeastDuration_s, optimistic_s(facts, prior_s)) / (1 - errors);
  terms.price_usd = std::max(0.0, facts.price_usd.value_or(unknown_price_usd));
  terms.fast = preference.fast * std::log(terms.duration_s);
  terms.cheap = preference.cheap * std::log(terms.price_usd + kLeastPrice_usd);
  terms.steady =
      preference.steady * (std::log(std::max(1.0, facts.spread)) + kErrorWeight * errors);
  terms.scarce = std::max(0.0, (kScarce - facts.headroom) / kScarce);
  return terms;
}

std::string money(double usd) {
  constexpr double kCentsPerUsd = 100;
  constexpr double kLeastShown_ct = 0.0095;
  const double cents = usd * kCentsPerUsd;
  return cents > 0 && cents < kLeastShown_ct ? fmt::format("{:.4f} ct", cents)
                                             : fmt::format("{:.2f} ct", cents);
}

std::string time_text(double seconds) {
  constexpr double kTenths = 0.095;
  return seconds < kTenths ? fmt::format("{:.0f} ms", seconds * 1'000)
                           : fmt::format("{:.1f} s", seconds);
}

std::string about(const Facts& facts) {
  const std::string price = facts.price_usd ? money(*facts.price_usd) : "price unknown";
  if (facts.known < kFewAnswers) {
    return fmt::format("{}: tried because little is known of it, {}", facts.name, price);
  }
  return fmt::format("{}: {}, {}, {}", facts.name, time_text(facts.expected_s), price,
                     facts.spread <= kSteady ? "steady" : "unsteady");
}

std::string wait_text(const Facts& facts) {
  if (!facts.wait) return fmt::format("{} has all it can take", facts.name);
  const double seconds = in_ms(*facts.wait) / 1'000;
  return facts.breaker == Breaker::kOpen
             ? fmt::format("{} fails, left alone for {:.0f} s", facts.name, std::ceil(seconds))
             : fmt::format("{} at its rate limit for {:.1f} s", facts.name, seconds);
}

/// What speaks most against `other` beside `best`.
std::string against(const Facts& facts, const Terms& other, const Terms& best) {
  const std::array<double, 4> worse{other.fast - best.fast, other.cheap - best.cheap,
                                    other.steady - best.steady, other.scarce - best.scarce};
  switch (std::ranges::max_element(worse) - worse.begin()) {
    case 0:
      return fmt::format("{} {:.1f} times slower", facts.name, other.duration_s / best.duration_s);
    case 1:
      if (!facts.price_usd) return fmt::format("{} of unknown price", facts.name);
      return fmt::format("{} {:.1f} times dearer", facts.name,
                         (other.price_usd + kLeastPrice_usd) / (best.price_usd + kLeastPrice_usd));
    case 2:
      return fmt::format("{} less steady", facts.name);
    default:
      return fmt::format("{} near its rate limit", facts.name);
  }
}

}  // namespace

Result<Preference> parse_preference(std::string_view text) {
  if (text == "balanced") return Preference{};
  if (text == "fast") return Preference{.fast = 1, .cheap = 0.1, .steady = 0.2};
  if (text == "cheap") return Preference{.fast = 0.1, .cheap = 1, .steady = 0.1};
  if (text == "steady") return Preference{.fast = 0.2, .cheap = 0.1, .steady = 2};
  return fail_field("cloud.prefer", fmt::format("no preference '{}'", text),
                    "use fast, cheap, steady or balanced, or set [cloud.weights]");
}

Choice choose(std::span<const Facts> candidates, const Preference& preference,
              double quality_margin) {
  Choice choice;
  if (candidates.empty()) return choice;
  const double prior_s = prior_duration_s(candidates);
  const double unknown_usd = dearest_usd(candidates);
  double best_quality = 0;
  for (const Facts& facts : candidates) best_quality = std::max(best_quality, facts.quality);
  std::vector<Terms> terms;
  for (const Facts& facts : candidates) {
    terms.push_back(terms_of(facts, preference, prior_s, unknown_usd));
  }

  std::vector<std::string> out;  // why each that may not be asked may not
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Facts& facts = candidates[i];
    if (facts.quality < best_quality - quality_margin) {
      constexpr double kPerCent = 100;
      out.push_back(fmt::format("{} passes in {:.0f} % only, the best in {:.0f} %", facts.name,
                                kPerCent * facts.quality, kPerCent * best_quality));
    } else if (facts.wait != Millis{0}) {
      out.push_back(wait_text(facts));
    } else {
      choice.order.push_back(i);
    }
  }
  std::ranges::stable_sort(choice.order, {}, [&terms](std::size_t i) { return terms[i].score(); });

  if (choice.order.empty()) return choice;
  const std::size_t best = choice.order.front();
  choice.why = about(candidates[best]);
  std::size_t told = 0;
  for (std::size_t i = 1; i < choice.order.size() && told < kMaxTold; ++i, ++told) {
    const std::size_t other = choice.order[i];
    choice.why += "; " + against(candidates[other], terms[other], terms[best]);
  }
  for (std::size_t i = 0; i < out.size() && told < kMaxTold; ++i, ++told) {
    choice.why += "; " + out[i];
  }
  return choice;
}

}  // namespace minimill::cloud
