#include "cli/duration.h"

#include <gtest/gtest.h>

namespace minimill::cli {
namespace {

TEST(Duration, IsReadInItsUnit) {
  EXPECT_EQ(parse_seconds("90", "x"), 90);
  EXPECT_EQ(parse_seconds("90s", "x"), 90);
  EXPECT_EQ(parse_seconds("1.5m", "x"), 90);
  EXPECT_EQ(parse_seconds("8h", "x"), 28'800);
  EXPECT_EQ(parse_seconds("2d", "x"), 172'800);
}

TEST(Duration, AnythingElseIsRefusedAndNamesTheOption) {
  for (const char* text : {"", "h", "-1h", "8 h", "8hours", "0", "nan", "inf", "1e9", "400d"}) {
    const Result<double> read = parse_seconds(text, "--can-wait");
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().field, "--can-wait");
  }
}

}  // namespace
}  // namespace minimill::cli
