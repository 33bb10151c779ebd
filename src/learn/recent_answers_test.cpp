#include "learn/recent_answers.h"

#include <gtest/gtest.h>

namespace minimill::learn {
namespace {

RecentAnswer answer_to(std::string text, std::string app = "") {
  RecentAnswer answer;
  answer.input.text = std::move(text);
  answer.input.app = std::move(app);
  return answer;
}

TEST(RecentAnswers, AreFoundById) {
  RecentAnswers recent;
  recent.remember(RequestId{"a"}, answer_to("what?"));

  EXPECT_EQ(recent.find("a")->input.text, "what?");
  EXPECT_EQ(recent.find("never"), nullptr);
}

TEST(RecentAnswers, AnAppsSameQuestionIsFoundAgainAndNoOthers) {
  RecentAnswers recent;
  recent.remember(RequestId{"first"}, answer_to("what?", "mail"));
  recent.remember(RequestId{"second"}, answer_to("what?", "mail"));

  EXPECT_EQ(recent.same_asked("mail", "what?"), "second");
  EXPECT_EQ(recent.same_asked("notes", "what?"), "");
  EXPECT_EQ(recent.same_asked("mail", "what else?"), "");
}

TEST(RecentAnswers, TheOldestGoWhereTheyAreTooMany) {
  RecentAnswers recent;
  for (std::size_t i = 0; i <= RecentAnswers::kMaxAnswers; ++i) {
    recent.remember(RequestId{std::to_string(i)}, answer_to(std::to_string(i)));
  }

  EXPECT_EQ(recent.find("0"), nullptr);
  EXPECT_EQ(recent.same_asked("", "0"), "");
  EXPECT_EQ(recent.same_asked("", "1"), "1");
}

TEST(RecentAnswers, TheOldestGoWhereTheyAreTooLong) {
  RecentAnswers recent;
  const std::string half(RecentAnswers::kMaxBytes / 2, 'x');
  for (const char* id : {"a", "b", "c"}) recent.remember(RequestId{id}, answer_to(half));
  recent.remember(RequestId{"d"}, answer_to(half + half + "x"));

  EXPECT_EQ(recent.find("a"), nullptr);
  EXPECT_NE(recent.find("b"), nullptr);
  EXPECT_NE(recent.find("c"), nullptr);
  EXPECT_EQ(recent.find("d"), nullptr);
}

}  // namespace
}  // namespace minimill::learn
