#include "serve/shadow.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/trunk.h"

namespace minimill::serve {
namespace {

using chat::Lane;

class ShadowTest : public testing::Test {
 protected:
  explicit ShadowTest(ShadowOptions options = {.share = 1, .usd_per_day = 1, .judge = {}})
      : shadow_(trunk_.loop.io(), trunk_.clock, std::move(options), trunk_.gateway(),
                trunk_.admission, trunk_.backends, trunk_.ledger, outcomes_, nullptr) {
    trunk_.observers.add(shadow_);
    trunk_.cloud.usd_per_token = 0.01;
  }
  ~ShadowTest() override { trunk_.loop.run(shadow_.stop()); }

  /// Answers one, and then compares.
  void serve(policy::Request request) {
    ASSERT_TRUE(trunk_.complete(std::move(request)));
    for (int i = 0; i < 5; ++i) trunk_.loop.poll();
  }

  test::Trunk trunk_;
  learn::RouterKeeper keeper_{trunk_.loop.io(), trunk_.clock, trunk_.router, trunk_.ledger};
  learn::Outcomes outcomes_{trunk_.clock, trunk_.router, keeper_, trunk_.ledger};
  Shadow shadow_;
};

TEST_F(ShadowTest, ComparisonIsARequestOfItsOwnThatBelongsToTheAppsOne) {
  serve(trunk_.easy());

  const std::vector<ledger::RequestRecord> rows = trunk_.records();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[1].origin, chat::Origin::kShadow);
  EXPECT_EQ(rows[1].parent, rows[0].id);
  EXPECT_EQ(rows[1].app, "shadow");
  EXPECT_EQ(rows[1].decision.lane, Lane::kCloud);
  EXPECT_EQ(trunk_.ledger.outcomes(rows[0].id)->size(), 1U);
}

TEST_F(ShadowTest, ComparisonIsNotComparedAgain) {
  serve(trunk_.easy());

  EXPECT_EQ(trunk_.cloud.asked.size() + trunk_.device.asked.size(), 2U);
}

TEST_F(ShadowTest, WhatTheCloudAnsweredIsTriedOnTheDevice) {
  serve(trunk_.hard());

  ASSERT_EQ(trunk_.device.asked.size(), 1U);
  EXPECT_EQ(trunk_.device.asked.front().origin, chat::Origin::kShadow);
}

TEST_F(ShadowTest, LocalOnlyRequestAndNamedLaneAreNeverCompared) {
  policy::Request only = trunk_.easy();
  only.privacy = policy::Privacy::kLocalOnly;
  serve(std::move(only));
  serve(trunk_.in_lane(Lane::kLocal));

  EXPECT_TRUE(trunk_.cloud.asked.empty());
}

TEST_F(ShadowTest, ComparingEndsWithItsOwnBudgetOfTheDay) {
  for (int i = 0; i < 20; ++i) serve(trunk_.easy());

  EXPECT_EQ(trunk_.cloud.asked.size(), 5U);  // at 0.2 USD of 1
  trunk_.clock.advance(std::chrono::hours{24});
  serve(trunk_.easy());
  EXPECT_EQ(trunk_.cloud.asked.size(), 6U);
}

TEST_F(ShadowTest, ComparingObeysTheBudgetOfAll) {
  ASSERT_TRUE(trunk_.apps.set(policy::Budget{.usd_per_day = 0.01, .soft = 1}));

  serve(trunk_.easy());
  EXPECT_TRUE(trunk_.cloud.asked.empty());
}

TEST_F(ShadowTest, LostAttemptsOfAComparisonCountInTheLedgerAndInBothBudgets) {
  cloud::LostAttempt lost;
  lost.provider = "slow";
  lost.cost_usd = 2;
  trunk_.cloud.lost.push_back(std::move(lost));

  serve(trunk_.easy());
  serve(trunk_.easy());

  EXPECT_EQ(trunk_.cloud.asked.size(), 1U);  // the day's budget is gone
  EXPECT_DOUBLE_EQ(trunk_.spent_usd(), 2.2);
  for (const ledger::RequestRecord& row : trunk_.records()) {
    EXPECT_EQ(row.attempts.size(), row.origin == chat::Origin::kShadow ? 2U : 1U);
  }
}

class NoShadowTest : public ShadowTest {
 protected:
  NoShadowTest() : ShadowTest({.share = 0, .usd_per_day = 1, .judge = {}}) {}
};

TEST_F(NoShadowTest, NothingIsComparedWhereNoShareIsSet) {
  serve(trunk_.easy());

  EXPECT_TRUE(trunk_.cloud.asked.empty());
}

}  // namespace
}  // namespace minimill::serve
