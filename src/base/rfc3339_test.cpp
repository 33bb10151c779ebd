#include "base/rfc3339.h"

#include <gtest/gtest.h>

namespace minimill {
namespace {

TEST(Rfc3339, WritesUtcWithMilliseconds) {
  EXPECT_EQ(rfc3339(from_unix_ms(1'763'676'245'007)), "2025-11-20T22:04:05.007Z");
}

TEST(Rfc3339, TimesFarAheadAreWrittenToo) {
  EXPECT_EQ(rfc3339(from_unix_ms(10'974'528'000'000)), "2317-10-09T00:00:00.000Z");
}

TEST(Rfc3339, WritesTimesBefore1970) {
  EXPECT_EQ(rfc3339(from_unix_ms(-1)), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace minimill
