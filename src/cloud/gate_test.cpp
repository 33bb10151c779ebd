#include "cloud/gate.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>

namespace minimill::cloud {
namespace {

struct Visitor : Guest {
  Visitor(std::string the_app, std::uint64_t the_number) {
    app = std::move(the_app);
    number = the_number;
  }
  ~Visitor() override { leave(); }
  void tell() override { ++told; }
  int told = 0;
};

class GateTest : public testing::Test {
 protected:
  static constexpr SteadyTime kNow{};
  /// As many as it takes, so that whoever comes next waits.
  void fill(Gate& gate) {
    while (gate.in_flight() < gate.limit()) (void)gate.enter(first_, kNow);
  }

  Visitor first_{"first", 0};
};

TEST_F(GateTest, NobodyOvertakesWhoWaits) {
  Gate gate(1);
  fill(gate);
  Visitor waits("a", 1);
  Visitor comes("b", 2);
  ASSERT_FALSE(gate.lets_in(waits));
  gate.wait(waits);

  gate.exit();

  EXPECT_EQ(waits.told, 1);
  EXPECT_TRUE(gate.lets_in(waits));
  EXPECT_FALSE(gate.lets_in(comes));
  (void)gate.enter(waits, kNow);
  EXPECT_EQ(gate.in_flight(), 1);
}

TEST_F(GateTest, AppsTakeTurnsHoweverManyOneOfThemSends) {
  Gate gate(1);
  fill(gate);
  std::vector<std::unique_ptr<Visitor>> flood;
  for (std::uint64_t i = 1; i <= 50; ++i) {
    flood.push_back(std::make_unique<Visitor>("flood", i));
    gate.wait(*flood.back());
  }
  Visitor other("other", 51);
  gate.wait(other);

  int turns = 0;
  while (other.told == 0) {
    gate.exit();
    ++turns;
    for (const auto& each : flood) {
      if (each->told > 0 && gate.lets_in(*each)) (void)gate.enter(*each, kNow);
    }
    ASSERT_LE(turns, 50);
  }

  EXPECT_LE(turns, 3);
}

TEST_F(GateTest, AnAppsOwnGoInTheOrderInWhichTheyCame) {
  Gate gate(1);
  fill(gate);
  Visitor second("a", 2);
  Visitor first("a", 1);
  gate.wait(second);
  gate.wait(first);

  gate.exit();

  EXPECT_EQ(first.told, 1);
  EXPECT_EQ(second.told, 0);
}

TEST_F(GateTest, PlaceThatIsNotTakenGoesToTheNext) {
  Gate gate(1);
  fill(gate);
  Visitor a("a", 1);
  Visitor b("b", 2);
  gate.wait(a);
  gate.wait(b);
  gate.exit();
  ASSERT_EQ(a.told, 1);

  a.leave();

  EXPECT_EQ(b.told, 1);
  EXPECT_TRUE(gate.lets_in(b));
}

TEST_F(GateTest, WhoeverWaitsBeforeTwoDoorsTakesOnePlaceOnly) {
  Gate left(1);
  Gate right(1);
  fill(left);
  fill(right);
  Visitor both("a", 1);
  Visitor next("b", 2);
  left.wait(both);
  right.wait(both);
  right.wait(next);

  left.exit();
  right.exit();

  EXPECT_EQ(both.told, 1);
  EXPECT_EQ(next.told, 1);
  EXPECT_TRUE(left.lets_in(both));
  EXPECT_TRUE(right.lets_in(next));
}

TEST_F(GateTest, GrowthLetsInWhoWaits) {
  Gate gate;
  std::vector<ConcurrencyLimit::Permit> permits;
  while (gate.in_flight() < gate.limit()) permits.push_back(gate.enter(first_, kNow));
  Visitor waits("a", 1);
  gate.wait(waits);

  gate.accepted(permits.back(), std::nullopt, kNow);

  EXPECT_EQ(waits.told, 1);
}

/// Whatever comes and goes, no place is lost and nobody is forgotten.
TEST_F(GateTest, EveryoneGetsInAtLast) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    std::mt19937 random(seed);
    Gate gate(3);
    std::vector<std::unique_ptr<Visitor>> waiting;
    int entered = 0;
    int inside = 0;
    std::uint64_t number = 0;
    const auto enter_told = [&] {
      for (auto each = waiting.begin(); each != waiting.end();) {
        if ((*each)->told > 0 && gate.lets_in(**each) && random() % 4 != 0) {
          (void)gate.enter(**each, kNow);
          ++inside;
          ++entered;
          each = waiting.erase(each);
        } else if ((*each)->told > 0 && random() % 8 == 0) {
          each = waiting.erase(each);  // goes away
          ++entered;
        } else {
          ++each;
        }
      }
    };
    for (int i = 0; i < 200; ++i) {
      auto one = std::make_unique<Visitor>(std::string(1, static_cast<char>('a' + random() % 3)),
                                           ++number);
      if (gate.lets_in(*one)) {
        (void)gate.enter(*one, kNow);
        ++inside;
        ++entered;
      } else {
        gate.wait(*one);
        waiting.push_back(std::move(one));
      }
      if (inside > 0 && random() % 2 == 0) {
        gate.exit();
        --inside;
      }
      enter_told();
    }
    for (int i = 0; i < 10'000 && !waiting.empty(); ++i) {
      if (inside > 0) {
        gate.exit();
        --inside;
      }
      enter_told();
    }
    EXPECT_EQ(entered, 200) << "seed " << seed;
    EXPECT_EQ(gate.waiting(), 0U) << "seed " << seed;
  }
}

}  // namespace
}  // namespace minimill::cloud
