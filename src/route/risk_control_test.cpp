#include "route/risk_control.h"

#include <gtest/gtest.h>

namespace minimill::route {
namespace {

constexpr RiskOptions kRisk{.max_loss = 0.05, .confidence = 0.95};

TEST(BinomialTail, IsTheSumOfItsTerms) {
  EXPECT_NEAR(binomial_tail(0, 10, 0.1), 0.34868, 1e-5);
  EXPECT_NEAR(binomial_tail(2, 10, 0.1), 0.92981, 1e-5);
  EXPECT_NEAR(binomial_tail(20, 1000, 0.05), 7.6588e-7, 1e-10);
  EXPECT_EQ(binomial_tail(10, 10, 0.1), 1);
  EXPECT_EQ(binomial_tail(0, 0, 0.1), 1);
}

TEST(RiskControl, WithoutEvidenceNothingIsSafe) {
  const RiskControl control;
  EXPECT_EQ(control.bar(kRisk), RiskControl::kNone);
  EXPECT_EQ(control.missing(kRisk), 59U);  // log(0.05) / log(0.95)
}

TEST(RiskControl, SaysHowMuchIsMissingAndNoMoreIsNeededThen) {
  RiskControl control;
  while (control.missing(kRisk) > 0) {
    EXPECT_EQ(control.bar(kRisk), RiskControl::kNone);
    control.audit(0.9, false);
  }
  EXPECT_EQ(control.bar(kRisk), 0);
}

TEST(RiskControl, TheBarStandsAboveWhereThingsGoWrong) {
  RiskControl control;
  for (int i = 0; i < 500; ++i) {
    control.audit(0.9, i % 50 == 0);  // 2 % lose
    control.audit(0.5, i % 3 == 0);   // 33 % lose
  }
  const double bar = control.bar(kRisk);
  EXPECT_GT(bar, 0.5);
  EXPECT_LE(bar, 0.9);
}

TEST(RiskControl, ABoundThatIsBrokenEverywhereAllowsNothing) {
  RiskControl control;
  for (int i = 0; i < 500; ++i) control.audit(0.99, i % 5 == 0);
  EXPECT_GT(control.bar(kRisk), 1);
}

TEST(RiskControl, AStricterPromiseNeverHasALaxerBar) {
  RiskControl control;
  for (int i = 0; i < 400; ++i) control.audit((i % 100) / 100.0, i % 100 < 10 && i % 3 == 0);
  double before = 3;
  for (const double max_loss : {0.01, 0.02, 0.05, 0.1, 0.3}) {
    const double bar = control.bar({.max_loss = max_loss, .confidence = 0.9});
    EXPECT_LE(bar, before);
    before = bar;
  }
}

TEST(RiskControl, WhatIsForgottenCountsNoMore) {
  RiskControl control;
  for (int i = 0; i < 300; ++i) control.audit(0.999, true);
  for (int i = 0; i < 100; ++i) control.audit(0.9, false);
  EXPECT_GT(control.bar(kRisk), 1);
  control.forget(100);
  EXPECT_LE(control.bar(kRisk), 0.9);
}

}  // namespace
}  // namespace minimill::route
