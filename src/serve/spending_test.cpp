// Money on every path: what a request may cost, what is under way, and what was spent.

#include "serve/spending.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "support/trunk.h"

namespace minimill::serve {
namespace {

using chat::Lane;
using testing::HasSubstr;

class MoneyTest : public testing::Test {
 protected:
  MoneyTest() { trunk_.cloud.usd_per_token = 0.01; }

  void budget(double usd_per_day, std::string app = {}) {
    policy::Budget budget{.of = app, .usd_per_day = usd_per_day, .soft = 1};
    if (!app.empty()) budget.scope = policy::BudgetScope::kApp;
    ASSERT_TRUE(trunk_.apps.set(budget));
  }
  /// Of at most so many tokens: its expected cost is known.
  policy::Request in_cloud(std::int64_t tokens) {
    policy::Request request = trunk_.in_lane(Lane::kCloud);
    return limited(std::move(request), tokens);
  }
  static policy::Request limited(policy::Request request, std::int64_t tokens) {
    request.chat.edit([=](chat::RequestParts& parts) { parts.sampling.max_tokens = tokens; });
    return request;
  }
  Result<Embedded> embed(policy::Request request) {
    protocol::EmbeddingRequest texts;
    texts.texts = {"a"};
    return trunk_.loop.run(trunk_.gateway().embed(std::move(request), std::move(texts)));
  }
  std::optional<double> left() { return trunk_.spending.budgets().standing("app", "").left_usd; }

  test::Trunk trunk_;
};

TEST_F(MoneyTest, WhatWasSpentThisMonthIsReadFromTheLedger) {
  ASSERT_TRUE(trunk_.complete(in_cloud(10)));
  trunk_.writer->flush();

  const Spending again(trunk_.clock, trunk_.apps, trunk_.admission, trunk_.ledger, trunk_.router);

  EXPECT_DOUBLE_EQ(again.budgets().spent(policy::BudgetScope::kApp, "app").day_usd, 0.2);
}

TEST_F(MoneyTest, SpentBudgetClosesTheCloudAndTheDeviceGoesOn) {
  budget(0.1);
  ASSERT_TRUE(trunk_.apps.set(policy::Budget{.usd_per_day = 0.2, .soft = 1}));
  ASSERT_TRUE(trunk_.complete(in_cloud(10)));

  EXPECT_EQ(trunk_.complete(in_cloud(10)).error().code, ErrorCode::kRateLimited);
  EXPECT_EQ(trunk_.complete(trunk_.hard())->serving.lane, Lane::kLocal);
  EXPECT_EQ(trunk_.cloud.asked.size(), 1U);
}

TEST_F(MoneyTest, WorkThatCostsMoreThanIsLeftStaysOnTheDevice) {
  budget(0.05);

  const Result<Served> served = trunk_.complete(limited(trunk_.hard(), 1000));

  EXPECT_EQ(served->serving.lane, Lane::kLocal);
  EXPECT_TRUE(trunk_.cloud.asked.empty());
}

TEST_F(MoneyTest, NamedCloudOverItsMaxCostIsRefusedWithTheField) {
  policy::Request request = in_cloud(1000);
  request.max_cost_usd = 0.001;

  const Error error = trunk_.complete(std::move(request)).error();

  EXPECT_EQ(error.code, ErrorCode::kForbidden);
  EXPECT_EQ(error.field, "x-minimill-max-cost");
}

TEST_F(MoneyTest, WhatIsUnderWayCountsAsSpentUntilItsCostIsKnown) {
  budget(10);
  trunk_.cloud.held = true;
  asio::co_spawn(trunk_.loop.io(), trunk_.gateway().complete(in_cloud(100)), asio::detached);
  trunk_.loop.poll();

  EXPECT_LE(*left(), 10 - 1.0);  // at most a hundred tokens, and its prompt
  trunk_.cloud.release();
  trunk_.loop.poll();
  EXPECT_DOUBLE_EQ(*left(), 10 - 0.2);
}

TEST_F(MoneyTest, StreamHoldsItsMoneyUntilItsEnd) {
  budget(10);
  Result<ServedStream> served = trunk_.stream(in_cloud(100));
  EXPECT_LE(*left(), 10 - 1.0);

  ASSERT_TRUE(trunk_.read(*served));
  EXPECT_DOUBLE_EQ(*left(), 10 - 0.2);
  served->stream.reset();
  EXPECT_DOUBLE_EQ(*left(), 10 - 0.2);
}

TEST_F(MoneyTest, LocalWorkHoldsNothing) {
  budget(10);
  trunk_.device.held = true;
  asio::co_spawn(trunk_.loop.io(), trunk_.gateway().complete(trunk_.in_lane(Lane::kLocal)),
                 asio::detached);
  trunk_.loop.poll();

  EXPECT_DOUBLE_EQ(*left(), 10);
  trunk_.device.release();
  trunk_.loop.poll();
}

TEST_F(MoneyTest, FailureGivesBackWhatWasHeld) {
  budget(10);
  trunk_.cloud.fails(ErrorCode::kUpstream);

  EXPECT_FALSE(trunk_.complete(in_cloud(100)));
  EXPECT_DOUBLE_EQ(*left(), 10);
}

TEST_F(MoneyTest, EmbeddingsObeyBudgets) {
  budget(0.01);
  ASSERT_TRUE(embed(trunk_.in_lane(Lane::kCloud)).error().code == ErrorCode::kRateLimited);
  EXPECT_TRUE(trunk_.cloud.asked.empty());
  budget(10);

  EXPECT_DOUBLE_EQ(embed(trunk_.in_lane(Lane::kCloud))->cost_usd, 0.1);
  EXPECT_DOUBLE_EQ(trunk_.spent_usd(), 0.1);
}

TEST_F(MoneyTest, EmbeddingsObeyMaxCost) {
  policy::Request request = trunk_.in_lane(Lane::kCloud);
  request.max_cost_usd = 0.001;

  EXPECT_EQ(embed(std::move(request)).error().field, "x-minimill-max-cost");
  EXPECT_TRUE(trunk_.cloud.asked.empty());
}

TEST_F(MoneyTest, EmbeddingsAreMadeOnTheDeviceWhereNoLaneIsNamed) {
  policy::Request request = trunk_.hard();

  EXPECT_EQ(embed(std::move(request))->serving.lane, Lane::kLocal);
}

TEST_F(MoneyTest, LocalOnlyEmbeddingNeverReachesTheCloud) {
  policy::Request request = trunk_.in_lane(Lane::kCloud);
  request.privacy = policy::Privacy::kLocalOnly;

  EXPECT_EQ(embed(std::move(request)).error().code, ErrorCode::kForbidden);
  EXPECT_TRUE(trunk_.cloud.asked.empty());
}

TEST_F(MoneyTest, HedgesAndOtherLostAttemptsAreSpentToo) {
  cloud::LostAttempt hedge;
  hedge.provider = "slow";
  hedge.cost_usd = 0.5;
  hedge.hedge = true;
  trunk_.cloud.lost.push_back(std::move(hedge));

  ASSERT_TRUE(trunk_.complete(in_cloud(10)));
  EXPECT_DOUBLE_EQ(trunk_.spent_usd(), 0.7);
  EXPECT_EQ(trunk_.records().front().attempts.size(), 2U);
}

TEST_F(MoneyTest, OneAppsBudgetIsNotAnothers) {
  budget(0.01, "other");

  EXPECT_TRUE(trunk_.complete(in_cloud(100)));
}

TEST_F(MoneyTest, BudgetSpentWhileARequestWaitedHoldsForItToo) {
  budget(1.5);
  trunk_.lanes.set_slots(Lane::kCloud, 1);
  trunk_.cloud.held = true;
  trunk_.cloud.says("yes");  // the first costs 0.2, the others 1 each
  trunk_.cloud.usual = test::answer("yes", 50);
  int answered = 0;
  std::vector<Error> refused;
  for (const std::int64_t tokens : {10, 100, 100}) {
    asio::co_spawn(trunk_.loop.io(), trunk_.gateway().complete(in_cloud(tokens)),
                   [&](const std::exception_ptr&, Result<Served> served) {
                     if (served) ++answered;
                     if (!served) refused.push_back(std::move(served.error()));
                   });
    trunk_.loop.poll();
  }
  EXPECT_EQ(trunk_.lanes.waiting(Lane::kCloud), 2U);

  trunk_.cloud.release();
  ASSERT_TRUE(trunk_.loop.until([&] { return answered + static_cast<int>(refused.size()) == 3; }));
  EXPECT_EQ(answered, 2);
  EXPECT_EQ(refused.front().code, ErrorCode::kRateLimited);
  EXPECT_LE(trunk_.spent_usd(), 1.5);
}

/// Many at once, in any order, whole and streamed, some of them left in the middle: together they
/// spend no more than the budget. What is expected is never less than what it costs here, so that
/// not even one request comes on top.
TEST_F(MoneyTest, ManyAtOnceInAnyOrderSpendNoMoreThanTheBudget) {
  constexpr int kSeeds = 12;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    SeededRandom random(seed);
    const auto upto = [&](std::uint64_t most) { return 1 + random.bits() % most; };
    test::Trunk trunk;
    trunk.cloud.usd_per_token = 0.001;
    // As many tokens as are allowed: what is expected is never less than what it comes to.
    chat::AnswerParts parts;
    parts.text = "yes";
    parts.usage = {.prompt_tokens = 1, .completion_tokens = 90};
    trunk.cloud.usual = chat::ChatAnswer(std::move(parts));
    const double allowed = 0.02 * static_cast<double>(upto(100));
    ASSERT_TRUE(trunk.apps.set(policy::Budget{.usd_per_day = allowed, .soft = 1}));
    trunk.lanes.set_slots(Lane::kCloud, static_cast<int>(upto(8)));
    trunk.lanes.set_slots(Lane::kLocal, 2);
    std::vector<ServedStream> open;
    const int many = 40;
    int ended = 0;
    for (int i = 0; i < many; ++i) {
      trunk.cloud.held = upto(3) > 1;
      policy::Request request = upto(2) == 1 ? trunk.in_lane(Lane::kCloud) : trunk.hard();
      request = limited(std::move(request), 90);
      if (upto(2) == 1) {
        asio::co_spawn(trunk.loop.io(), trunk.gateway().complete(std::move(request)),
                       [&](const std::exception_ptr&, const Result<Served>&) { ++ended; });
      } else {
        asio::co_spawn(trunk.loop.io(), trunk.gateway().stream(std::move(request)),
                       [&](const std::exception_ptr&, Result<ServedStream> served) {
                         ++ended;
                         if (served) open.push_back(std::move(*served));
                       });
      }
      if (upto(2) == 1) trunk.loop.poll();
      if (upto(4) == 1) trunk.cloud.release();
      if (!open.empty() && upto(3) == 1) {
        ServedStream last = std::move(open.back());
        open.pop_back();
        if (upto(2) == 1) (void)trunk.read(last);  // or its app leaves
      }
    }
    const auto all_have_ended = [&] {
      trunk.cloud.release();
      open.clear();
      return ended == many;
    };
    ASSERT_TRUE(trunk.loop.until(all_have_ended));

    EXPECT_LE(trunk.spent_usd(), allowed + 1e-9);
    EXPECT_GT(trunk.spent_usd(), 0);
  }
}

}  // namespace
}  // namespace minimill::serve
