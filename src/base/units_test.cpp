#include "base/units.h"

#include <gtest/gtest.h>

namespace minimill {
namespace {

TEST(Units, SpansAreReadInTheirUnit) {
  EXPECT_EQ(parse_seconds("90"), 90);
  EXPECT_EQ(parse_seconds("1.5m"), 90);
  EXPECT_EQ(parse_seconds("90d"), 90 * 86'400);
  EXPECT_EQ(parse_seconds("0"), 0);
}

TEST(Units, SizesAreReadInTheirUnit) {
  EXPECT_EQ(parse_bytes("512"), 512);
  EXPECT_EQ(parse_bytes("500MB"), 500'000'000);
  EXPECT_EQ(parse_bytes("1.5GiB"), 1'610'612'736);
}

TEST(Units, AnythingElseIsNone) {
  for (const char* text : {"", "d", "-1d", "8 h", "8hours", "nan", "inf", "2gb"}) {
    EXPECT_FALSE(parse_seconds(text)) << text;
    EXPECT_FALSE(parse_bytes(text)) << text;
  }
  EXPECT_FALSE(parse_bytes("9999999999TB"));
}

}  // namespace
}  // namespace minimill
