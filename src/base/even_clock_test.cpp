#include "base/even_clock.h"

#include <gtest/gtest.h>

namespace minimill {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST(EvenClock, GoesOnEvenlyUntilItIsToldToCatchUp) {
  ManualClock system;
  EvenClock clock(system);
  const WallTime before = clock.wall();

  system.advance(seconds{5});
  system.jump_wall(hours{3});

  EXPECT_EQ(clock.wall(), before + seconds{5});
  EXPECT_EQ(clock.catch_up(), hours{3});
  EXPECT_EQ(clock.wall(), before + seconds{5} + hours{3});
  EXPECT_EQ(clock.catch_up(), Millis{0});
}

TEST(EvenClock, AClockThatWasPutBackIsAJumpToo) {
  ManualClock system;
  EvenClock clock(system);

  system.jump_wall(-hours{2});

  EXPECT_EQ(clock.catch_up(), -hours{2});
  EXPECT_EQ(clock.wall(), system.wall());
}

TEST(EvenClock, SlowCorrectionsAreFollowedWithoutAWord) {
  ManualClock system;
  EvenClock clock(system);
  for (int i = 0; i < 10; ++i) {
    system.jump_wall(seconds{1});
    EXPECT_EQ(clock.catch_up(), Millis{0});
  }
  EXPECT_EQ(clock.wall(), system.wall());
}

}  // namespace
}  // namespace minimill
