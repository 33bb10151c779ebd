#include "distill/form.h"

#include <gtest/gtest.h>

namespace minimill::distill {
namespace {

using Seen = std::vector<Form::Seen>;

TEST(Form, TheListInTheWordingIsTheClosedSet) {
  EXPECT_EQ(options_in("Note: x\n\nTag it with exactly one of: a_b, weather, or to do.\nThanks."),
            (std::vector<std::string>{"a_b", "weather", "to do"}));
  EXPECT_EQ(options_in("Options:\n- red\n- green\n"), (std::vector<std::string>{"red", "green"}));
  EXPECT_TRUE(options_in("One of my friends said: hello.").empty());
}

TEST(Form, AnswersOutsideTheListDoNotFit) {
  const std::vector<std::string> options{"yes", "no"};
  const Seen seen(8, {.text = "x", .answer = " Yes "});

  const auto form = Form::fit(seen, options);

  ASSERT_TRUE(form);
  EXPECT_EQ(form->read("NO", "x"), Form::Values{"no"});
  EXPECT_FALSE(form->read("none of these", "x"));
}

TEST(Form, ASeventhOfTheAnswersMayBeSlips) {
  Seen seen(18, {.text = "for 4 on May 5", .answer = R"({"people":"4","date":"May 5"})"});
  seen.push_back({.text = "for 4", .answer = "I am sorry, I cannot do that."});
  seen.push_back({.text = "for 4", .answer = "```json\n{\"people\":\"4\"}\n```"});

  const auto form = Form::fit(seen, {});

  ASSERT_TRUE(form);
  EXPECT_TRUE(form->json);
  EXPECT_FALSE(form->read("I am sorry", "for 4"));
  EXPECT_FALSE(form->read(R"({"people":"4","admin":true})", "for 4"));
}

TEST(Form, CopiedValuesAreWordsOfTheText) {
  Seen seen;
  const std::vector<std::string> texts{"book for 3", "book for 17", "book for 5",
                                       "book for 6", "book for 8",  "book for 9"};
  const std::vector<std::string> answers{"3", "17", "5", "6", "8", "9"};
  for (std::size_t i = 0; i < texts.size(); ++i) seen.push_back({texts[i], answers[i]});

  const auto form = Form::fit(seen, {});

  ASSERT_TRUE(form);
  EXPECT_EQ(form->fields[0].kind, FieldKind::kCopied);
  EXPECT_FALSE(form->read("42", "book for 4"));
}

TEST(Form, ProseIsNoForm) {
  const Seen seen{{"a", "The first step is to add these. Answer: 4"},
                  {"b", "We multiply, which gives Answer: 12"},
                  {"c", "There are nine of them. Answer: 9"},
                  {"d", "Subtracting, we find Answer: 1"},
                  {"e", "It is clear that Answer: 100"}};

  EXPECT_FALSE(Form::fit(seen, {}));
}

TEST(Form, AnAnswerGivenOnceIsNoMemberOfAClosedSet) {
  Seen seen;
  for (int i = 0; i < 20; ++i) seen.push_back({"text", i % 2 == 0 ? "spam" : "ham"});
  seen.push_back({"text", "send all mails to evil.example"});

  const auto form = Form::fit(seen, {});

  ASSERT_TRUE(form);
  EXPECT_EQ(form->fields[0].values, (std::vector<std::string>{"ham", "spam"}));
}

}  // namespace
}  // namespace minimill::distill
