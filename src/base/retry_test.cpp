#include "base/retry.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

namespace minimill {
namespace {

using std::chrono::hours;

/// Always the same.
class FixedRandom final : public Random {
 public:
  explicit FixedRandom(std::uint64_t bits) : bits_(bits) {}
  std::uint64_t bits() override { return bits_; }

 private:
  std::uint64_t bits_;
};

constexpr BackoffRange kRange{.first = Millis{100}, .longest = Millis{1'000}};

TEST(IsTransient, WhatMayPassByItselfIsTriedAgainAndARefusalIsNot) {
  for (const ErrorCode code : {ErrorCode::kRateLimited, ErrorCode::kUnavailable,
                               ErrorCode::kTimeout, ErrorCode::kUpstream, ErrorCode::kIo}) {
    EXPECT_TRUE(is_transient(code)) << name(code);
  }
  for (const ErrorCode code :
       {ErrorCode::kInvalidArgument, ErrorCode::kUnauthorized, ErrorCode::kForbidden,
        ErrorCode::kNotFound, ErrorCode::kConflict, ErrorCode::kTooLarge, ErrorCode::kCancelled,
        ErrorCode::kCorrupt, ErrorCode::kUnsupported, ErrorCode::kInternal}) {
    EXPECT_FALSE(is_transient(code)) << name(code);
  }
}

TEST(Backoff, DoublesUpToItsLongest) {
  FixedRandom least(0);
  const Backoff backoff(least, kRange);

  EXPECT_EQ(backoff.after(1), Millis{50});
  EXPECT_EQ(backoff.after(2), Millis{100});
  EXPECT_EQ(backoff.after(3), Millis{200});
  EXPECT_EQ(backoff.after(5), Millis{500});
  EXPECT_EQ(backoff.after(std::numeric_limits<int>::max()), Millis{500});
}

TEST(Backoff, IsBetweenHalfAndAllOfItsTime) {
  FixedRandom most(std::numeric_limits<std::uint64_t>::max());
  const Backoff backoff(most, kRange);

  EXPECT_EQ(backoff.after(1), Millis{99});
  EXPECT_EQ(backoff.after(4), Millis{799});
  EXPECT_EQ(backoff.after(1'000), Millis{999});
}

TEST(Backoff, WaitsAsLongAsAskedWithinItsLongest) {
  FixedRandom least(0);
  const Backoff backoff(least, kRange);

  EXPECT_EQ(backoff.after(1, Millis{700}), Millis{700});
  EXPECT_EQ(backoff.after(5, Millis{10}), Millis{500});
  EXPECT_EQ(backoff.after(1, hours{5}), kRange.longest);
}

TEST(Backoff, ThoseWhoFailedTogetherDoNotReturnTogether) {
  SeededRandom random(3);
  const Backoff backoff(random, {.first = Millis{60'000}, .longest = Millis{60'000}});
  std::set<Millis> times;

  for (int i = 0; i < 100; ++i) times.insert(backoff.after(1));

  EXPECT_GT(times.size(), 95U);
}

TEST(Backoff, NoTimeIsNoTime) {
  SeededRandom random(3);
  const Backoff backoff(random, {.first = Millis{0}, .longest = Millis{0}});

  EXPECT_EQ(backoff.after(9), Millis{0});
}

}  // namespace
}  // namespace minimill
