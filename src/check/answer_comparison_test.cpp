#include "check/answer_comparison.h"

#include <gtest/gtest.h>

namespace minimill::check {
namespace {

chat::ChatAnswer saying(std::string text) {
  chat::AnswerParts answer;
  answer.text = std::move(text);
  return chat::ChatAnswer(std::move(answer));
}

chat::ChatAnswer calling(std::string name, std::string arguments) {
  chat::AnswerParts answer;
  answer.tool_calls.push_back(
      {.id = "1", .name = std::move(name), .arguments = std::move(arguments)});
  return chat::ChatAnswer(std::move(answer));
}

bool alike(const chat::ChatAnswer& local, const chat::ChatAnswer& cloud) {
  return compare_answers(local, cloud).alike;
}

TEST(AnswerComparison, AShortAnswerMustBeSaidToTheWord) {
  EXPECT_TRUE(alike(saying("Paris."), saying("Paris")));
  EXPECT_TRUE(alike(saying("The capital of France is Paris, of course."), saying("paris")));
  EXPECT_FALSE(alike(saying("Lyon"), saying("Paris")));
  EXPECT_FALSE(alike(saying(""), saying("Paris")));
}

TEST(AnswerComparison, LongerOnesMustShareHalfOfTheirWords) {
  const std::string cloud = "The parcel left Berlin on Monday and will arrive in Rome on Thursday.";
  EXPECT_TRUE(
      alike(saying("The parcel left Berlin Monday, will arrive in Rome Thursday."), saying(cloud)));
  EXPECT_FALSE(alike(saying("I am a language model and cannot look into parcels at all, sorry."),
                     saying(cloud)));
}

TEST(AnswerComparison, JsonIsComparedByWhatItSays) {
  EXPECT_TRUE(alike(saying(R"({"b": 1.0, "a": "x"})"), saying(R"({"a":"x ","b":1})")));
  EXPECT_FALSE(alike(saying(R"({"a": "y", "b": 1})"), saying(R"({"a": "x", "b": 1})")));
  EXPECT_FALSE(alike(saying("x"), saying(R"({"a": "x"})")));
}

TEST(AnswerComparison, ToolCallsByNameAndArguments) {
  EXPECT_TRUE(alike(calling("add", R"({"x": 1, "y": 2})"), calling("add", R"({"y":2,"x":1})")));
  EXPECT_FALSE(alike(calling("add", R"({"x": 1})"), calling("add", R"({"x": 2})")));
  EXPECT_FALSE(alike(calling("add", "{}"), calling("subtract", "{}")));
  EXPECT_FALSE(alike(saying("three"), calling("add", "{}")));
  EXPECT_FALSE(alike(calling("add", "{oops"), calling("add", "{oops")));
}

TEST(AnswerComparison, WhatIsToldOfItHasNoWordOfAnAnswer) {
  const Comparison comparison = compare_answers(saying("secret"), saying("hidden"));
  EXPECT_EQ(comparison.how.find("secret"), std::string::npos);
  EXPECT_EQ(comparison.how.find("hidden"), std::string::npos);
}

TEST(Judge, SaysYesOrNoAndNothingElseCounts) {
  EXPECT_TRUE(judge_verdict(saying("Yes, it is.")).value());
  EXPECT_FALSE(judge_verdict(saying("no")).value());
  EXPECT_EQ(judge_verdict(saying("It depends")).error().code, ErrorCode::kUpstream);
  EXPECT_EQ(judge_verdict(saying("")).error().code, ErrorCode::kUpstream);
}

TEST(Judge, IsShownABoundedPartOfAnyAnswer) {
  const std::string long_one(1 << 20, 'x');
  chat::RequestParts parts;
  parts.messages.push_back(chat::text_message(chat::Role::kUser, long_one));
  const chat::ChatRequest asked(std::move(parts));
  const chat::ChatRequest request =
      judge_request(asked, saying(long_one), saying(long_one), "judge");
  EXPECT_LT(chat::prompt_text(request).size(), std::size_t{64} << 10);
  EXPECT_EQ(request.model(), "judge");
}

}  // namespace
}  // namespace minimill::check
