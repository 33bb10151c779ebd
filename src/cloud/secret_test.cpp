#include "cloud/secret.h"

#include <gtest/gtest.h>

namespace minimill::cloud {
namespace {

std::string blotted(std::string text, std::string_view secret) {
  blot_out(text, secret);
  return text;
}

constexpr std::string_view kKey = "c0ffee0123456789abcdef0123456789";

TEST(Secret, KeyIsBlottedOutWhereverItStands) {
  EXPECT_EQ(blotted("Incorrect API key provided: " + std::string(kKey) + ". Find yours", kKey),
            "Incorrect API key provided: ***. Find yours");
  EXPECT_EQ(blotted(std::string(kKey) + "," + std::string(kKey), kKey), "***,***");
}

TEST(Secret, PartOfTheKeyIsBlottedOutToo) {
  EXPECT_EQ(blotted("the key c0ffee0123... is wrong", kKey), "the key ***... is wrong");
  EXPECT_EQ(blotted("it ends in abcdef0123456789", kKey), "it ends in ***");
}

TEST(Secret, OtherWordsStay) {
  EXPECT_EQ(blotted("coffee is out, see 0123", kKey), "coffee is out, see 0123");
  EXPECT_EQ(blotted("nothing is configured", ""), "nothing is configured");
}

TEST(Secret, ShortKeyIsBlottedOutWhole) {
  EXPECT_EQ(blotted("key 'abc1' is wrong", "abc1"), "key '***' is wrong");
}

}  // namespace
}  // namespace minimill::cloud
