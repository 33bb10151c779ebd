#include "http/byte_budget.h"

#include <gtest/gtest.h>

#include <memory>

namespace minimill::http {
namespace {

constexpr std::size_t kMegabyte = 1 << 20;

TEST(ByteBudget, AllConnectionsTogetherHoldNoMoreThanTheTotal) {
  ByteBudget budget(10 * kMegabyte, 10 * kMegabyte);
  ByteBudget::Share first(budget, "a");
  ByteBudget::Share second(budget, "b");

  EXPECT_TRUE(first.hold(6 * kMegabyte));
  EXPECT_TRUE(second.hold(4 * kMegabyte));
  EXPECT_FALSE(second.hold(5 * kMegabyte));
  EXPECT_EQ(budget.used(), 10 * kMegabyte);
}

TEST(ByteBudget, OnePeerLeavesRoomForOthers) {
  ByteBudget budget(10 * kMegabyte, 6 * kMegabyte);
  ByteBudget::Share greedy(budget, "a");
  ByteBudget::Share more_of_it(budget, "a");
  ByteBudget::Share other(budget, "b");

  EXPECT_TRUE(greedy.hold(5 * kMegabyte));
  EXPECT_FALSE(more_of_it.hold(2 * kMegabyte));
  EXPECT_TRUE(other.hold(4 * kMegabyte));
}

TEST(ByteBudget, WhatIsSmallIsAlwaysTaken) {
  ByteBudget budget(kMegabyte, kMegabyte);
  ByteBudget::Share full(budget, "a");
  ByteBudget::Share small(budget, "a");

  EXPECT_TRUE(full.hold(kMegabyte));
  EXPECT_TRUE(small.hold(ByteBudget::kFree));
  EXPECT_FALSE(small.hold(ByteBudget::kFree + 1));
}

TEST(ByteBudget, WhatAConnectionHeldIsGivenBack) {
  ByteBudget budget(kMegabyte, kMegabyte);
  auto gone = std::make_unique<ByteBudget::Share>(budget, "a");
  ASSERT_TRUE(gone->hold(kMegabyte));
  ByteBudget::Share next(budget, "a");
  EXPECT_FALSE(next.hold(kMegabyte));

  gone.reset();

  EXPECT_TRUE(next.hold(kMegabyte));
  next.release();
  EXPECT_EQ(budget.used(), 0U);
}

TEST(ByteBudget, AnAnswerThatIsThereCountsThoughThereIsNoRoom) {
  ByteBudget budget(kMegabyte, kMegabyte);
  ByteBudget::Share share(budget, "a");

  share.hold_anyway(3 * kMegabyte);

  EXPECT_EQ(budget.used(), 3 * kMegabyte);
  share.release();
  EXPECT_EQ(budget.used(), 0U);
}

}  // namespace
}  // namespace minimill::http
