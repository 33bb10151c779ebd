#include "base/random.h"

#include <gtest/gtest.h>

#include <bit>
#include <set>

namespace minimill {
namespace {

TEST(SeededRandom, SameSeedGivesTheSameNumbers) {
  SeededRandom first(7);
  SeededRandom again(7);
  SeededRandom other(8);

  for (int i = 0; i < 100; ++i) {
    const std::uint64_t bits = first.bits();
    EXPECT_EQ(bits, again.bits());
    EXPECT_NE(bits, other.bits());
  }
}

TEST(SystemRandom, NumbersAreDistinctBeyondItsBuffer) {
  constexpr int kDraws = 2'000;
  SystemRandom random;
  std::set<std::uint64_t> seen;
  int ones = 0;

  for (int i = 0; i < kDraws; ++i) {
    const std::uint64_t bits = random.bits();
    seen.insert(bits);
    ones += std::popcount(bits);
  }

  EXPECT_EQ(seen.size(), kDraws);
  EXPECT_NEAR(ones, kDraws * 32, kDraws);  // 128,000 fair coins: six deviations are 1,073
}

TEST(SystemRandom, TwoOfThemHaveNothingInCommon) {
  SystemRandom one;
  SystemRandom other;
  std::set<std::uint64_t> seen;

  for (int i = 0; i < 100; ++i) {
    seen.insert(one.bits());
    seen.insert(other.bits());
  }

  EXPECT_EQ(seen.size(), 200U);
}

TEST(Random, UnitIsWithinZeroAndOne) {
  SeededRandom random(1);
  double sum = 0;

  for (int i = 0; i < 10'000; ++i) {
    const double unit = random.unit();
    ASSERT_GE(unit, 0.0);
    ASSERT_LT(unit, 1.0);
    sum += unit;
  }

  EXPECT_NEAR(sum / 10'000, 0.5, 0.02);
}

}  // namespace
}  // namespace minimill
