#include "api/body_size.h"

#include <gtest/gtest.h>

#include <string>

namespace minimill::api {
namespace {

TEST(BodySize, MillionsOfTinyValuesAreRefusedBeforeTheyAreRead) {
  std::string body = "[0";
  for (std::size_t i = 0; i < kMaxValues; ++i) body += ",0";

  const Result<> fits = check_values(body + "]");

  ASSERT_FALSE(fits.has_value());
  EXPECT_EQ(fits.error().code, ErrorCode::kTooLarge);
}

TEST(BodySize, LongTextsAreTaken) {
  EXPECT_TRUE(check_values(std::string(10'000'000, 'x')).has_value());
}

}  // namespace
}  // namespace minimill::api
