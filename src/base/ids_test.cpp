#include "base/ids.h"

#include <gtest/gtest.h>

#include <set>

namespace minimill {
namespace {

TEST(IdSource, IdsSortByTheTimeTheyWereMade) {
  ManualClock clock;
  IdSource ids(clock, 7);

  const RequestId first = ids.request();
  clock.advance(Millis{1});
  const RequestId second = ids.request();

  EXPECT_LT(first, second);
  EXPECT_EQ(first.value.size(), 4U + 26U);
}

TEST(IdSource, IdsOfOneMillisecondAreDistinct) {
  const ManualClock clock;
  IdSource ids(clock, 7);
  std::set<std::string> seen;

  for (int i = 0; i < 10'000; ++i) seen.insert(ids.task().value);

  EXPECT_EQ(seen.size(), 10'000U);
}

}  // namespace
}  // namespace minimill
