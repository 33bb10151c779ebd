#include "policy/budgets.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace minimill::policy {
namespace {

using namespace std::chrono_literals;

class BudgetsTest : public testing::Test {
 protected:
  void set(BudgetScope scope, std::string of, std::optional<double> day,
           std::optional<double> month = std::nullopt, double soft = 0.8) {
    const Result<> saved = store_.set(Budget{.scope = scope,
                                             .of = std::move(of),
                                             .usd_per_day = day,
                                             .usd_per_month = month,
                                             .soft = soft});
    ASSERT_TRUE(saved) << saved.error().to_string();
  }

  test::TempDir dir_;
  ManualClock clock_;
  AppStore store_ = std::move(*AppStore::open(dir_.path() / "apps.db"));
  Budgets budgets_{clock_, store_};
};

TEST_F(BudgetsTest, WithoutABudgetAnythingMayBeSpent) {
  budgets_.spend("mail", "triage", 1e6, clock_.wall());

  const Standing standing = budgets_.standing("mail", "triage");

  EXPECT_FALSE(standing.left_usd);
  EXPECT_FALSE(standing.closed);
  EXPECT_EQ(standing.pressure, 0);
}

TEST_F(BudgetsTest, TightestOfAllThatFitCounts) {
  set(BudgetScope::kAll, "", 10);
  set(BudgetScope::kApp, "mail", 5);
  set(BudgetScope::kOperation, "triage", 1);

  EXPECT_EQ(budgets_.standing("mail", "triage").left_usd, 1);
  EXPECT_EQ(budgets_.standing("mail", "other").left_usd, 5);
  EXPECT_EQ(budgets_.standing("chat", "other").left_usd, 10);
}

TEST_F(BudgetsTest, SpentBudgetSaysWhoseItIsAndWhenItOpens) {
  set(BudgetScope::kApp, "mail", 1, 1.5);

  budgets_.spend("mail", "", 1.0, clock_.wall());
  const Standing today = budgets_.standing("mail", "");

  ASSERT_TRUE(today.closed);
  EXPECT_EQ(today.closed->code, ErrorCode::kRateLimited);
  EXPECT_NE(today.closed->message.find("app mail"), std::string::npos);
  EXPECT_LE(*today.closed->retry_after, 24h);

  clock_.advance(*today.closed->retry_after);
  EXPECT_FALSE(budgets_.standing("mail", "").closed);
  budgets_.spend("mail", "", 0.5, clock_.wall());
  const Standing month = budgets_.standing("mail", "");
  ASSERT_TRUE(month.closed);
  EXPECT_NE(month.closed->message.find("month"), std::string::npos);
  clock_.advance(*month.closed->retry_after);
  EXPECT_FALSE(budgets_.standing("mail", "").closed);
}

TEST_F(BudgetsTest, PressureGrowsFromTheSoftLimitToTheHardOne) {
  set(BudgetScope::kAll, "", 1.0, std::nullopt, 0.5);

  budgets_.spend("a", "", 0.5, clock_.wall());
  EXPECT_EQ(budgets_.standing("a", "").pressure, 0);
  budgets_.spend("b", "", 0.25, clock_.wall());
  EXPECT_NEAR(budgets_.standing("a", "").pressure, 0.5, 1e-9);
  budgets_.spend("c", "", 0.5, clock_.wall());
  EXPECT_EQ(budgets_.standing("a", "").pressure, 1);
}

TEST_F(BudgetsTest, WhatIsUnderWayCannotBeSpentTwice) {
  set(BudgetScope::kAll, "", 1.0);
  {
    const Budgets::Hold first = budgets_.hold("a", "", 0.7);

    EXPECT_NEAR(*budgets_.standing("b", "").left_usd, 0.3, 1e-9);
    EXPECT_FALSE(budgets_.standing("b", "").closed);  // an estimate closes nothing for a day
  }
  EXPECT_EQ(budgets_.standing("b", "").left_usd, 1.0);
}

TEST_F(BudgetsTest, BudgetThatIsChangedHoldsAtOnce) {
  set(BudgetScope::kAll, "", 1.0);
  budgets_.spend("a", "", 2.0, clock_.wall());
  ASSERT_TRUE(budgets_.standing("a", "").closed);

  set(BudgetScope::kAll, "", 3.0);

  EXPECT_FALSE(budgets_.standing("a", "").closed);
  ASSERT_TRUE(store_.remove_budget(BudgetScope::kAll, ""));
  EXPECT_FALSE(budgets_.standing("a", "").left_usd);
}

TEST_F(BudgetsTest, AnotherProgramsChangeIsSeen) {
  AppStore other = std::move(*AppStore::open(dir_.path() / "apps.db"));
  ASSERT_TRUE(other.set(Budget{.scope = BudgetScope::kAll, .of = "", .usd_per_day = 2}));

  ASSERT_TRUE(store_.refresh());

  EXPECT_EQ(budgets_.standing("a", "").left_usd, 2);
}

TEST_F(BudgetsTest, ClockSetBackOpensNoNewDay) {
  set(BudgetScope::kAll, "", 1.0);
  budgets_.spend("a", "", 1.0, clock_.wall());

  clock_.jump_wall(-48h);

  EXPECT_TRUE(budgets_.standing("a", "").closed);
}

TEST_F(BudgetsTest, WhatIsNoBudgetIsRefused) {
  EXPECT_EQ(store_.set(Budget{.scope = BudgetScope::kApp, .usd_per_day = 1}).error().field, "of");
  EXPECT_EQ(store_.set(Budget{.of = "mail", .usd_per_day = 1}).error().field, "of");
  EXPECT_EQ(store_.set(Budget{}).error().field, "usd_per_day");
  EXPECT_EQ(store_.set(Budget{.usd_per_day = -1}).error().field, "usd_per_day");
  EXPECT_EQ(store_.set(Budget{.usd_per_day = 1, .soft = 0}).error().field, "soft");
}

TEST_F(BudgetsTest, ManyNamesTakeNoMemoryOfTheirOwn) {
  for (int i = 0; i < 50'000; ++i) (void)budgets_.spent(BudgetScope::kApp, std::to_string(i));

  budgets_.spend("real", "", 1, clock_.wall());

  EXPECT_EQ(budgets_.spent(BudgetScope::kApp, "real").day_usd, 1);
}

}  // namespace
}  // namespace minimill::policy
