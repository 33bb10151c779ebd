#include "route/confidence.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace minimill::route {
namespace {

TEST(Confidence, SurerTokensNeverLowerTheEstimate) {
  const Confidence confidence;
  double last = 0;
  for (double mean = -8; mean <= 0; mean += 0.25) {
    const double p = confidence.p_ok(0.7, mean);
    EXPECT_GE(p, last);
    last = p;
  }
  EXPECT_LT(confidence.p_ok(0.7, -3), 0.3);
  EXPECT_GT(confidence.p_ok(0.7, -0.1), 0.8);
}

TEST(Confidence, UsualTokensChangeNothing) {
  const Confidence confidence;
  EXPECT_NEAR(confidence.p_ok(0.7, confidence.usual()), 0.7, 1e-9);
}

TEST(Confidence, OutcomesMoveTheBarToWhereThisModelsAnswersTurnBad) {
  Confidence confidence;
  for (int i = 0; i < 2000; ++i) {  // a model that is right down to a mean of −1.5
    const double mean = -0.02 * (i % 150);
    confidence.learn(0.6, mean, mean > -1.5);
  }
  EXPECT_NEAR(confidence.usual(), -1.5, 0.35);
  EXPECT_GT(confidence.p_ok(0.6, -1.0), 0.6);
  EXPECT_LT(confidence.p_ok(0.6, -2.0), 0.6);
}

TEST(Confidence, AnyNumbersKeepItSane) {
  Confidence confidence;
  for (int i = 0; i < 1000; ++i) confidence.learn(i % 2 == 0 ? 0.0 : 1.0, -1e9, i % 3 == 0);
  const double p = confidence.p_ok(0.5, -1);
  EXPECT_TRUE(std::isfinite(p));
  EXPECT_EQ(mean_logprob({}), 0);
}

TEST(Confidence, IsReadBackAsItWasAndDamageIsRefused) {
  Confidence confidence;
  confidence.learn(0.5, -1, false);
  const Confidence read = Confidence::parse(confidence.to_text()).value();
  EXPECT_EQ(read.p_ok(0.4, -0.8), confidence.p_ok(0.4, -0.8));
  EXPECT_EQ(read.outcomes(), 1);
  for (const char* damaged : {"", "1 2 3", "nan 1 1 1 0", "1 1 1 1 -4", "1 1 1 1 0 x"}) {
    EXPECT_FALSE(Confidence::parse(damaged).has_value()) << damaged;
  }
}

}  // namespace
}  // namespace minimill::route
