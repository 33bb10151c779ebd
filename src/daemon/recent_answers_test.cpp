#include "daemon/recent_answers.h"

#include <gtest/gtest.h>

namespace minimill::daemon {
namespace {

RecentAnswer answer_to(std::string text) {
  RecentAnswer answer;
  answer.input.text = std::move(text);
  return answer;
}

TEST(RecentAnswers, EachIsHandedOverOnce) {
  RecentAnswers recent;
  recent.remember(RequestId{"a"}, answer_to("what?"));

  EXPECT_EQ(recent.take("a")->input.text, "what?");
  EXPECT_FALSE(recent.take("a"));
  EXPECT_FALSE(recent.take("never"));
}

TEST(RecentAnswers, TheOldestGoWhereTheyAreTooMany) {
  RecentAnswers recent;
  for (std::size_t i = 0; i <= RecentAnswers::kMaxAnswers; ++i) {
    recent.remember(RequestId{std::to_string(i)}, answer_to("x"));
  }

  EXPECT_FALSE(recent.take("0"));
  EXPECT_TRUE(recent.take("1"));
}

TEST(RecentAnswers, TheOldestGoWhereTheyAreTooLong) {
  RecentAnswers recent;
  const std::string half(RecentAnswers::kMaxBytes / 2, 'x');
  for (const char* id : {"a", "b", "c"}) recent.remember(RequestId{id}, answer_to(half));
  recent.remember(RequestId{"d"}, answer_to(half + half + "x"));

  EXPECT_FALSE(recent.take("a"));
  EXPECT_TRUE(recent.take("b"));
  EXPECT_TRUE(recent.take("c"));
  EXPECT_FALSE(recent.take("d"));
}

}  // namespace
}  // namespace minimill::daemon
