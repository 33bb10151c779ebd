#include "http/message.h"

#include <gtest/gtest.h>

namespace minimill::http {
namespace {

TEST(Headers, NamesCompareWithoutRegardToCase) {
  const Headers headers{{"Content-Type", "text/plain"}};

  EXPECT_EQ(headers.get("content-type"), "text/plain");
  EXPECT_TRUE(headers.has("CONTENT-TYPE"));
  EXPECT_FALSE(headers.has("content"));
}

TEST(Headers, SetReplacesEveryFieldOfThatName) {
  Headers headers{{"A", "1"}, {"b", "2"}, {"a", "3"}};

  headers.set("a", "4");

  EXPECT_EQ(headers.get("A"), "4");
  EXPECT_EQ(headers.size(), 2U);
}

}  // namespace
}  // namespace minimill::http
