// The parts that weigh evidence: combiner, nearest requests, reliability, trust in outcomes.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "route/combiner.h"
#include "route/features.h"
#include "route/nearest.h"
#include "route/outcome_trust.h"
#include "route/reliability.h"
#include "route/state_bytes.h"
#include "route/text_model.h"

namespace minimill::route {
namespace {

Evidence evidence(double text, double history) {
  Evidence all{};
  all[kAlways] = 1;
  all[kText] = text;
  all[kHistory] = history;
  return all;
}

TEST(Combiner, BelievesASourceThatIsRightAndNotOneThatIsNoise) {
  Combiner combiner;
  for (int i = 0; i < 2000; ++i) {
    const bool good = i % 2 == 0;
    // The text tells; history says the same of both.
    combiner.update(evidence(good ? 1 : -1, (i / 2) % 2 == 0 ? 1 : -1), good, 1);
  }
  const double by_text =
      combiner.probability(evidence(1, 0)) - combiner.probability(evidence(-1, 0));
  const double by_history =
      combiner.probability(evidence(0, 1)) - combiner.probability(evidence(0, -1));
  EXPECT_GT(by_text, by_history + 0.3);
}

TEST(Combiner, EstimatesBecomeWhatComesTrue) {
  Combiner combiner;
  for (int i = 0; i < 500; ++i) combiner.update(evidence(0.5, 0), i % 10 < 8, 1);
  EXPECT_NEAR(combiner.probability(evidence(0.5, 0)), 0.8, 0.05);
}

TEST(Combiner, AnOutcomeThatIsHardlyBelievedMovesLess) {
  Combiner full;
  Combiner half;
  const double before = full.probability(evidence(0, 0));
  full.update(evidence(0, 0), false, 1);
  half.update(evidence(0, 0), false, 0.2);
  EXPECT_LT(full.probability(evidence(0, 0)), half.probability(evidence(0, 0)));
  EXPECT_LT(half.probability(evidence(0, 0)), before);
}

TEST(Combiner, StaysFiniteWhateverHappens) {
  Combiner combiner;
  for (int i = 0; i < 20'000; ++i) {
    combiner.update(evidence(i % 3 == 0 ? 50 : -50, i % 5 == 0 ? 20 : -20), i % 7 == 0, 1);
  }
  const double p = combiner.probability(evidence(50, -20));
  EXPECT_TRUE(std::isfinite(p));
  EXPECT_GE(p, 0);
  EXPECT_LE(p, 1);
}

TEST(Combiner, WhateverAStateSaysItStaysAProbability) {
  std::string state;
  for (int i = 0; i < 6 + 36; ++i) append_number(state, i % 2 == 0 ? 1e9 : -1e9);
  std::string_view bytes = state;
  Combiner combiner;
  ASSERT_TRUE(combiner.take_state(bytes).has_value());

  for (int i = 0; i < 100; ++i) combiner.update(evidence(i % 2 == 0 ? 8 : -8, 2), i % 3 == 0, 1);

  const double p = combiner.probability(evidence(8, -2));
  EXPECT_GE(p, 0);
  EXPECT_LE(p, 1);
  std::string again;
  combiner.append_state(again);
  std::string_view kept = again;
  EXPECT_TRUE(Combiner().take_state(kept).has_value());
}

TEST(StateBytes, NumbersThatCannotHaveBeenLearntAreRefused) {
  for (const double number : {1e300, -1e10, std::numeric_limits<double>::infinity(),
                              std::numeric_limits<double>::quiet_NaN()}) {
    std::string state;
    append_number(state, number);
    std::string_view bytes = state;
    double read = 0;
    EXPECT_FALSE(take_number(bytes, read)) << number;
  }
  std::string counted;
  append_number(counted, std::numeric_limits<std::int64_t>::max());
  std::string_view bytes = counted;
  std::int64_t read = 0;
  EXPECT_FALSE(take_number(bytes, read));
}

TEST(StateBytes, RunsOfNoughtsAreWrittenShortAndReadBack) {
  std::vector<float> numbers(10'000);
  numbers[17] = 1.5F;
  numbers[9'999] = -2;
  std::string state;
  append_numbers(state, numbers);
  EXPECT_LT(state.size(), 200U);
  std::vector<float> read(numbers.size());
  std::string_view bytes = state;
  ASSERT_TRUE(take_numbers(bytes, read));
  EXPECT_EQ(read, numbers);
  EXPECT_TRUE(bytes.empty());
}

Sketch sketch(std::string what) {
  RouteInput input;
  input.text = std::move(what);
  const Features features = extract_features(input);
  const std::vector<Term> terms = TextTerms().of(features);
  return sketch_of(std::span(terms).first(features.words.size()));
}

TEST(Nearest, FindsWhatIsAlikeAndHowItWent) {
  Nearest nearest;
  nearest.add(sketch("copy the invoice number from this mail about pallets"), true);
  nearest.add(sketch("prove that the square root of two is irrational"), false);

  const auto found = nearest.find(sketch("copy the invoice number from this mail about screws"));

  EXPECT_EQ(found.alike, 1);
  EXPECT_EQ(found.alike_good, 1);
  EXPECT_GT(found.good, 0);
  EXPECT_EQ(found.bad, 0);
}

TEST(Nearest, TheOldestMakeRoom) {
  Nearest nearest;
  const Sketch first = sketch("the very first one of them all");
  nearest.add(first, true);
  for (std::size_t i = 0; i < Nearest::kMost; ++i) nearest.add(sketch("something else"), false);
  EXPECT_EQ(nearest.find(first).alike, 0);
}

TEST(Reliability, IsPerfectWhereEstimatesComeTrue) {
  Reliability reliability;
  for (int i = 0; i < 1000; ++i) reliability.add(0.7, i % 10 < 7);
  EXPECT_LT(reliability.expected_calibration_error(), 0.01);
}

TEST(Reliability, CountsHowFarOffEstimatesAre) {
  Reliability reliability;
  for (int i = 0; i < 1000; ++i) reliability.add(0.9, i % 2 == 0);
  EXPECT_NEAR(reliability.expected_calibration_error(), 0.4, 0.01);
  EXPECT_EQ(Reliability().expected_calibration_error(), 0);
}

TEST(OutcomeTrust, StrongerKindsWeighMore) {
  const OutcomeTrust trust;
  for (std::size_t i = 1; i < static_cast<std::size_t>(OutcomeKind::kCount); ++i) {
    EXPECT_LE(trust.weight(static_cast<OutcomeKind>(i)),
              trust.weight(static_cast<OutcomeKind>(i - 1)));
  }
}

TEST(OutcomeTrust, AKindThatIsOftenContradictedCountsForLittle) {
  OutcomeTrust trust;
  const double before = trust.weight(OutcomeKind::kComparison);
  for (int i = 0; i < 50; ++i) trust.confirm(OutcomeKind::kComparison, i % 2 == 0);
  EXPECT_LT(trust.weight(OutcomeKind::kComparison), before / 2);
  EXPECT_GT(trust.weight(OutcomeKind::kComparison), 0);
}

}  // namespace
}  // namespace minimill::route
