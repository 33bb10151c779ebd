#include "base/ids.h"

#include <gtest/gtest.h>

#include <set>

namespace minimill {
namespace {

TEST(IdSource, IdsSortByTheTimeTheyWereMade) {
  ManualClock clock;
  SeededRandom random(7);
  IdSource ids(clock, random);

  const RequestId first = ids.request();
  clock.advance(Millis{1});
  const RequestId second = ids.request();

  EXPECT_LT(first, second);
  EXPECT_EQ(first.value.size(), 4U + 26U);
}

TEST(IdSource, IdsOfOneMillisecondAreDistinct) {
  const ManualClock clock;
  SeededRandom random(7);
  IdSource ids(clock, random);
  std::set<std::string> seen;

  for (int i = 0; i < 10'000; ++i) seen.insert(ids.task().value);

  EXPECT_EQ(seen.size(), 10'000U);
}

TEST(IdSource, RandomHalfIsWhatItsSourceGives) {
  class Given final : public Random {
   public:
    std::uint64_t bits() override { return ++next_; }

   private:
    std::uint64_t next_ = 0;
  };
  const ManualClock clock;
  Given given;
  IdSource ids(clock, given);

  EXPECT_TRUE(ids.run().value.ends_with("1000000020000000"));
  EXPECT_TRUE(ids.run().value.ends_with("3000000040000000"));
}

}  // namespace
}  // namespace minimill
