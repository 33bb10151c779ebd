#include "cloud/health.h"

#include <gtest/gtest.h>

namespace minimill::cloud {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

AttemptEnd answered(milliseconds duration, std::int64_t tokens = 10) {
  return {.ending = Ending::kAnswered,
          .duration = duration,
          .first_event = {},
          .overtaken = false,
          .usage = {.prompt_tokens = 100, .completion_tokens = tokens}};
}

AttemptEnd ended(Ending ending) {
  return {.ending = ending,
          .duration = milliseconds{1},
          .first_event = {},
          .overtaken = false,
          .usage = {}};
}

class HealthTest : public testing::Test {
 protected:
  void one(const AttemptEnd& end) {
    health_.begin(clock_.steady(), 10);
    health_.end(end, clock_.steady());
  }
  bool open() const { return health_.next_at(clock_.steady(), 10) <= clock_.steady(); }

  ManualClock clock_;
  Health health_;
};

TEST_F(HealthTest, BreakerOpensAfterFailuresInARowAndLetsOneThroughAgain) {
  one(ended(Ending::kFailed));
  one(ended(Ending::kFailed));
  EXPECT_TRUE(open());
  one(ended(Ending::kFailed));
  EXPECT_EQ(health_.breaker(clock_.steady()), Breaker::kOpen);
  EXPECT_FALSE(open());

  clock_.advance(Health::kFirstPause);
  EXPECT_EQ(health_.breaker(clock_.steady()), Breaker::kHalfOpen);
  EXPECT_TRUE(open());
  health_.begin(clock_.steady(), 10);
  EXPECT_FALSE(open()) << "half-open lets one through, not two";
  health_.end(answered(milliseconds{5}), clock_.steady());

  EXPECT_EQ(health_.breaker(clock_.steady()), Breaker::kClosed);
  EXPECT_TRUE(open());
}

TEST_F(HealthTest, BreakersPauseDoublesUpToFiveMinutes) {
  for (int i = 0; i < Health::kBreakAfter; ++i) one(ended(Ending::kFailed));
  Millis pause = Health::kFirstPause;
  for (int i = 0; i < 10; ++i) {
    clock_.advance(pause - milliseconds{1});
    EXPECT_FALSE(open()) << i;
    clock_.advance(milliseconds{1});
    EXPECT_TRUE(open()) << i;
    one(ended(Ending::kFailed));
    pause = std::min(pause * 2, Health::kLongestPause);
  }
  EXPECT_EQ(pause, Health::kLongestPause);
}

TEST_F(HealthTest, ProbeThatIsGivenUpLeavesRoomForAnother) {
  for (int i = 0; i < Health::kBreakAfter; ++i) one(ended(Ending::kFailed));
  clock_.advance(Health::kFirstPause);
  one(ended(Ending::kNotItsFault));

  EXPECT_TRUE(open());
  EXPECT_EQ(health_.breaker(clock_.steady()), Breaker::kHalfOpen);
}

TEST_F(HealthTest, ProviderThatRefusesUsIsLeftAloneAtOnce) {
  one(ended(Ending::kRefused));

  EXPECT_EQ(health_.next_at(clock_.steady(), 1), clock_.steady() + Health::kLongestPause);
}

TEST_F(HealthTest, RateLimitsLeaveTheBreakerClosed) {
  for (int i = 0; i < 20; ++i) one(ended(Ending::kRateLimited));
  EXPECT_TRUE(open());
  EXPECT_EQ(health_.breaker(clock_.steady()), Breaker::kClosed);
}

TEST_F(HealthTest, TimeThatAProviderNamesIsWaitedOut) {
  health_.note({.retry_after = seconds{3}}, clock_.steady());
  clock_.advance(milliseconds{2'999});
  EXPECT_FALSE(open());
  clock_.advance(milliseconds{1});
  EXPECT_TRUE(open());
}

TEST_F(HealthTest, ServiceTimeTellsFirstTokenFromSpeed) {
  for (int i = 1; i <= 20; ++i) one(answered(milliseconds{500 + 20 * i * 10}, i * 10));

  EXPECT_NEAR(health_.service().expected_s(0), 0.5, 0.05);
  EXPECT_NEAR(health_.service().expected_s(1'000), 20.5, 0.5);
}

TEST_F(HealthTest, AnswersOfOneLengthStillGiveTheirOwnTime) {
  for (int i = 0; i < 10; ++i) one(answered(milliseconds{100}, 60));
  EXPECT_NEAR(health_.service().expected_s(60), 0.1, 1e-9);
  EXPECT_GE(health_.service().expected_s(0), 0);
}

TEST_F(HealthTest, HourLaterOldTimesCountLittle) {
  for (int i = 0; i < 20; ++i) one(answered(seconds{10}));
  clock_.advance(std::chrono::hours{5});
  for (int i = 0; i < 5; ++i) one(answered(seconds{1}));

  EXPECT_LT(health_.duration_ms().mean(), 1'500);
  EXPECT_LT(health_.usual(false).quantile(0.95), seconds{2});
}

TEST_F(HealthTest, UsualDurationsQuantileIsWithinABucketsWidth) {
  for (int i = 1; i <= 100; ++i) one(answered(milliseconds{10 * i}));

  const double p95 = in_ms(health_.usual(false).quantile(0.95));
  EXPECT_GE(p95, 950);
  EXPECT_LE(p95, 950 * 1.1 * 1.1);
}

TEST_F(HealthTest, FewErrorsAmongFewAttemptsAreNotTakenForTheRate) {
  one(ended(Ending::kFailed));
  EXPECT_LT(health_.error_rate(clock_.steady()), 0.25);
}

TEST_F(HealthTest, ClockThatGoesBackBreaksNothing) {
  one(answered(seconds{1}));
  health_.begin(clock_.steady() - seconds{100}, 1);
  health_.end(answered(seconds{1}), clock_.steady() - seconds{100});

  EXPECT_NEAR(health_.service().expected_s(10), 1, 1e-9);
}

}  // namespace
}  // namespace minimill::cloud
