#include "engine/continuation.h"

#include <gtest/gtest.h>

#include <string>

#include "base/json.h"

namespace minimill::engine {
namespace {

constexpr std::string_view kBody =
    R"({"model":"m","messages":[{"role":"user","content":"Count."}],"max_tokens":10,"seed":3})";

SentSoFar sent_of(std::initializer_list<chat::ChatEvent> events) {
  SentSoFar sent;
  for (const chat::ChatEvent& event : events) note(sent, event);
  return sent;
}

json::object continued(std::string_view body, const SentSoFar& sent) {
  return parse_json_object(continue_body(body, sent).value()).value();
}

TEST(Continuation, BeginsTheAssistantsMessageWithWhatWasSent) {
  const SentSoFar sent =
      sent_of({chat::ReasoningDelta{"hm"}, chat::TextDelta{"one, "}, chat::TextDelta{"two"}});

  const json::object body = continued(kBody, sent);

  const json::array& messages = body.at("messages").as_array();
  ASSERT_EQ(messages.size(), 2);
  EXPECT_EQ(messages[1],
            json::parse(R"({"role":"assistant","content":"one, two","reasoning_content":"hm"})"));
  EXPECT_TRUE(body.at("continue_final_message").as_bool());
  EXPECT_FALSE(body.at("add_generation_prompt").as_bool());
}

TEST(Continuation, LeavesWhatElseWasAskedForAsItIs) {
  const json::object body = continued(kBody, sent_of({chat::TextDelta{"one"}}));

  EXPECT_EQ(body.at("seed"), 3);
  EXPECT_EQ(body.at("model"), "m");
}

TEST(Continuation, TakesWhatWasSentFromTheLimitAndAsksForOneTokenAtLeast) {
  const SentSoFar three =
      sent_of({chat::TextDelta{"a"}, chat::TextDelta{"b"}, chat::ReasoningDelta{"c"}});
  EXPECT_EQ(continued(kBody, three).at("max_tokens"), 7);
  EXPECT_EQ(tokens_left(kBody, three), 7);

  SentSoFar all = three;
  all.pieces = 10;
  EXPECT_EQ(continued(kBody, all).at("max_tokens"), 1);
  EXPECT_EQ(tokens_left(kBody, all), 0);
}

TEST(Continuation, KnowsEachNameOfTheLimitAndThatThereMayBeNone) {
  for (const std::string name : {"max_completion_tokens", "max_tokens", "n_predict"}) {
    const std::string body = R"({"messages":[],")" + name + R"(":5})";
    EXPECT_EQ(tokens_left(body, sent_of({chat::TextDelta{"a"}})), 4) << name;
    EXPECT_EQ(continued(body, sent_of({chat::TextDelta{"a"}})).at(name), 4) << name;
  }
  EXPECT_EQ(tokens_left(R"({"messages":[]})", {}), -1);
  EXPECT_EQ(tokens_left(R"({"messages":[],"n_predict":-1})", {}), -1);
}

TEST(Continuation, AppendsToWhatTheAppItselfBegan) {
  constexpr std::string_view kBegun =
      R"({"messages":[{"role":"user","content":"Go."},{"role":"assistant","content":"Well, "}]})";

  // The server repeats that beginning or it does not: it stands there once.
  for (const std::string sent : {"I go", "Well, I go"}) {
    const json::object body = continued(kBegun, sent_of({chat::TextDelta{sent}}));
    const json::array& messages = body.at("messages").as_array();
    ASSERT_EQ(messages.size(), 2);
    EXPECT_EQ(messages[1].at("content"), "Well, I go");
  }
}

TEST(Continuation, RefusesHalfAToolCall) {
  const SentSoFar sent = sent_of({chat::TextDelta{"a"}, chat::ToolCallDelta{}});

  const Result<std::string> body = continue_body(kBody, sent);

  ASSERT_FALSE(body);
  EXPECT_EQ(body.error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(sent.empty());
}

TEST(Continuation, RefusesBodiesThatAreNoChats) {
  EXPECT_FALSE(continue_body("{", {}));
  EXPECT_EQ(continue_body(R"({"input":"x"})", {}).error().code, ErrorCode::kInternal);
}

TEST(Continuation, NotesTheEndAndIsEmptyBeforeTheFirstPiece) {
  EXPECT_TRUE(sent_of({chat::UsageReport{}, chat::Frame{}}).empty());
  EXPECT_TRUE(sent_of({chat::Finish{}}).finished);
}

TEST(Continuation, CountsTheFirstPartsTokensAsWrittenAndNotAsRead) {
  const chat::Usage last{.prompt_tokens = 25, .completion_tokens = 6, .cached_prompt_tokens = 24};

  const chat::Usage whole = whole_usage(last, 5);

  EXPECT_EQ(whole.prompt_tokens, 20);
  EXPECT_EQ(whole.completion_tokens, 11);
  EXPECT_EQ(whole.cached_prompt_tokens, 20);
  EXPECT_EQ(whole_usage(last, 99).prompt_tokens, 0);  // never below nothing
}

}  // namespace
}  // namespace minimill::engine
