#include "lane/test_time.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace minimill::lane {
namespace {

constexpr Prediction kProven{.service_s = 3, .trust = 2};

/// One slot, `count` services that take `factor` times what was predicted on average.
double serve(TimeOnTest& test, int count, double factor, double from_s = 0, unsigned seed = 1) {
  std::mt19937_64 random(seed);
  std::exponential_distribution<double> draw(1 / factor);
  double now_s = from_s;
  for (int i = 0; i < count; ++i) {
    const Prediction prediction{.service_s = 1 + static_cast<double>(random() % 5), .trust = 2};
    const double started_s = now_s;
    test.start(prediction, now_s);
    now_s += prediction.service_s * draw(random);
    test.finish(prediction, started_s, true, now_s);
  }
  return now_s;
}

TEST(TimeOnTest, NothingSeenIsAsPredicted) {
  TimeOnTest test;
  EXPECT_EQ(test.factor(0), 1);
  EXPECT_EQ(test.rest_s(0), 0);

  test.start(kProven, 5);

  EXPECT_EQ(test.factor(5), 1);
  EXPECT_EQ(test.rest_s(5), 3);
}

TEST(TimeOnTest, RunningServiceThatOutlastsItsPredictionIsEvidenceBeforeItEnds) {
  TimeOnTest test;
  test.start(kProven, 0);

  EXPECT_NEAR(test.factor(3), 1.5, 1e-9);
  EXPECT_GT(test.factor(30), 5);
  EXPECT_GT(test.rest_s(30), 30);
}

TEST(TimeOnTest, UnprovenPredictionIsGivenUpSooner) {
  TimeOnTest proven;
  TimeOnTest unproven;
  proven.start({.service_s = 3, .trust = trust_in(1000)}, 0);
  unproven.start({.service_s = 3, .trust = trust_in(0)}, 0);

  EXPECT_EQ(unproven.rest_s(0), proven.rest_s(0));
  EXPECT_GT(unproven.rest_s(6), 1.4 * proven.rest_s(6));
}

TEST(TimeOnTest, FactorIsFoundWhetherServicesAreLongerOrShorter) {
  for (const double factor : {1.0 / 20, 0.5, 1.0, 3.0, 20.0}) {
    SCOPED_TRACE(factor);
    double sum = 0;
    for (unsigned seed = 0; seed < 50; ++seed) {
      TimeOnTest test;
      const double now_s = serve(test, 60, factor, 0, seed);
      sum += test.factor(now_s) / 50;
    }
    // The prior is worth two services of the twenty that are remembered.
    EXPECT_LT(sum, 1.15 * factor + 0.1);
    EXPECT_GT(sum, 0.85 * factor);
  }
}

TEST(TimeOnTest, LaneThatIsItselfAgainIsBelievedAgain) {
  TimeOnTest test;
  double now_s = serve(test, 60, 10);
  ASSERT_GT(test.factor(now_s), 5);

  now_s = serve(test, 60, 1, now_s);

  EXPECT_NEAR(test.factor(now_s), 1, 0.5);
}

TEST(TimeOnTest, WhatWasCutShortDoesNotMakeALaneLookFast) {
  TimeOnTest test;
  double now_s = serve(test, 60, 1);
  const double before = test.factor(now_s);

  for (int i = 0; i < 100; ++i) {
    test.start(kProven, now_s);
    test.finish(kProven, now_s, false, now_s + 0.001);
    now_s += 0.001;
  }

  EXPECT_NEAR(test.factor(now_s), before, 0.01);
}

TEST(TimeOnTest, OneThatHangsSaysLittleOfTheOthers) {
  TimeOnTest test;
  test.start(kProven, 0);
  const double now_s = serve(test, 200, 1);

  EXPECT_LT(test.factor(now_s), 3);  // half of the time in service was its
  EXPECT_GT(test.rest_s(now_s), now_s / 3);
}

TEST(TimeOnTest, RoundingDoesNotAddUp) {
  TimeOnTest test;
  double now_s = 1e7;  // a machine that has been up for months
  std::mt19937_64 random(2);
  struct Running {
    Prediction prediction;
    double started_s;
  };
  std::vector<Running> running;
  for (int i = 0; i < 300'000; ++i) {
    now_s += 0.01;
    const Prediction prediction{.service_s = 0.001 * static_cast<double>(1 + random() % 100'000),
                                .trust = trust_in(static_cast<int>(random() % 3))};
    test.start(prediction, now_s);
    running.push_back({prediction, now_s});
    if (running.size() < 5) continue;
    std::swap(running.back(), running[random() % running.size()]);
    test.finish(running.back().prediction, running.back().started_s, true, now_s);
    running.pop_back();
  }
  double predicted_s = 0;
  double growth_s = 0;
  for (const Running& each : running) {
    predicted_s += each.prediction.service_s;
    growth_s += (now_s - each.started_s) / each.prediction.trust;
  }

  EXPECT_NEAR(test.rest_s(now_s), test.factor(now_s) * predicted_s + growth_s, 0.1);
}

}  // namespace
}  // namespace minimill::lane
