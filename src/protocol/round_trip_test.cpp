#include <gtest/gtest.h>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/http_status.h"
#include "protocol/openai.h"

namespace minimill::protocol {
namespace {

using chat::AnswerParts;
using chat::ChatEvent;

const std::vector<ChatEvent> kEvents{
    chat::ReasoningDelta{"hm"},
    chat::TextDelta{"Gr\u00fc\u00df \"Gott\"\n"},
    chat::TextDelta{"\u6f22"},
    chat::ToolCallDelta{.index = 0, .id = "c1", .name = "look", .arguments = ""},
    chat::ToolCallDelta{.index = 0, .id = "", .name = "", .arguments = R"({"a":)"},
    chat::ToolCallDelta{.index = 0, .id = "", .name = "", .arguments = "1}"},
    chat::UsageReport{{.prompt_tokens = 9, .completion_tokens = 4, .cached_prompt_tokens = 3}},
    chat::Finish{chat::FinishReason::kToolCalls},
};

AnswerParts gathered(const std::vector<ChatEvent>& events) {
  AnswerParts answer;
  for (const ChatEvent& event : events) chat::accumulate(answer, event);
  return answer;
}

/// (event, data) of each frame.
std::vector<std::pair<std::string, std::string>> frames_in(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> frames(1);
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    if (line.empty()) frames.emplace_back();
    if (line.starts_with("event: ")) frames.back().first = line.substr(7);
    if (line.starts_with("data: ")) frames.back().second = line.substr(6);
  }
  frames.pop_back();
  return frames;
}

TEST(OpenAi, WrittenStreamReadsBackAsTheSameAnswer) {
  openai::StreamWriter writer("id", "m", 1, true);
  std::string text;
  for (const ChatEvent& event : kEvents) writer.write(event, text);
  writer.finish(text);
  openai::StreamReader reader;
  std::vector<ChatEvent> events;

  for (const auto& [event, data] : frames_in(text))
    ASSERT_TRUE(reader.read(data, events).has_value()) << data;

  EXPECT_TRUE(reader.done());
  EXPECT_EQ(reader.model(), "m");
  EXPECT_EQ(gathered(events), gathered(kEvents));
}

TEST(Anthropic, WrittenStreamReadsBackAsTheSameAnswer) {
  anthropic::StreamWriter writer("id", "m");
  std::string text;
  for (const ChatEvent& event : kEvents) writer.write(event, text);
  writer.finish(text);
  anthropic::StreamReader reader;
  std::vector<ChatEvent> events;

  for (const auto& [event, data] : frames_in(text))
    ASSERT_TRUE(reader.read(event, data, events).has_value()) << data;

  EXPECT_TRUE(reader.done());
  EXPECT_EQ(gathered(events), gathered(kEvents));
}

TEST(OpenAi, WholeAnswerReadsBack) {
  AnswerParts answer = gathered(kEvents);
  answer.model = "m";
  const chat::ChatAnswer read =
      openai::parse_answer(openai::write_answer(chat::ChatAnswer(answer), "id", 1)).value();
  EXPECT_EQ(read.parts(), answer);
}

TEST(Anthropic, WholeAnswerReadsBack) {
  AnswerParts answer = gathered(kEvents);
  answer.model = "m";
  answer.reasoning.clear();
  const chat::ChatAnswer read =
      anthropic::parse_answer(anthropic::write_answer(chat::ChatAnswer(answer), "id")).value();
  EXPECT_EQ(read.parts(), answer);
}

TEST(OpenAi, FieldsMinimillHasNeverHeardOfSurvive) {
  const auto request =
      openai::parse_chat_request(
          R"({"model":"auto","messages":[{"role":"user","content":"x"}],"vendor":{"deep":[1,2]},"top_k":40,"stream":true})")
          .value();

  const auto sent = parse_json_object(openai::write_chat_request(request, "real", false)).value();

  EXPECT_EQ(sent.at("model"), "real");
  EXPECT_EQ(json::serialize(sent.at("vendor")), R"({"deep":[1,2]})");
  EXPECT_EQ(sent.at("top_k"), 40);
  EXPECT_FALSE(sent.contains("stream"));
}

TEST(Anthropic, OpenAiRequestIsTranslated) {
  const auto request = openai::parse_chat_request(R"({"model":"m","max_tokens":7,"messages":[
      {"role":"system","content":"be brief"},{"role":"user","content":"a"},{"role":"user","content":"b"},
      {"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},
      {"role":"tool","tool_call_id":"c","content":"r"}],
      "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],"tool_choice":"required"})")
                           .value();

  const auto sent =
      parse_json_object(anthropic::write_messages_request(request, "claude", true)).value();

  EXPECT_EQ(sent.at("system"), "be brief");
  EXPECT_EQ(sent.at("max_tokens"), 7);
  EXPECT_EQ(sent.at("tool_choice").at("type"), "any");
  const json::array& messages = sent.at("messages").as_array();
  ASSERT_EQ(messages.size(), 3U);  // the two users are one
  EXPECT_EQ(messages[0].at("content").as_array().size(), 2U);
  EXPECT_EQ(messages[1].at("content").as_array()[0].at("input").at("x"), 1);
  EXPECT_EQ(messages[2].at("content").as_array()[0].at("tool_use_id"), "c");
  const auto back = anthropic::parse_messages_request(json::serialize(sent));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->tools().size(), 1U);
}

TEST(OpenAi, WrongTypesNameTheirField) {
  for (const auto& [fields, field] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"("temperature":"hot")", "temperature"},
           {R"("top_p":2)", "top_p"},
           {R"("max_tokens":0)", "max_tokens"},
           {R"("max_tokens":1.5)", "max_tokens"},
           {R"("n":0)", "n"},
           {R"("stream":"yes")", "stream"},
           {R"("stop":[1])", "stop"},
           {R"("tools":{})", "tools"},
           {R"("tools":[{"function":{}}])", "tools[0].function.name"},
           {R"("tool_choice":"maybe")", "tool_choice"},
           {R"("response_format":{"type":"xml"})", "response_format"},
           {R"("stream_options":{"include_usage":1})", "stream_options.include_usage"}}) {
    const std::string body =
        std::string(R"({"model":"m","messages":[{"role":"user","content":"x"}],)") + fields + "}";
    const auto request = openai::parse_chat_request(body);
    ASSERT_FALSE(request.has_value()) << fields;
    EXPECT_EQ(request.error().field, field);
  }
}

TEST(Backends, GarbageIsAnUpstreamErrorAndShowsItsBeginning) {
  EXPECT_EQ(openai::parse_answer("<html>").error().code, ErrorCode::kUpstream);
  EXPECT_EQ(anthropic::parse_answer("{}").error().code, ErrorCode::kUpstream);
  std::vector<ChatEvent> events;
  const Result<> read = openai::StreamReader().read("<html>\x01", events);
  EXPECT_EQ(read.error().message, "expected a chat completion chunk, got '<html>?'");
}

TEST(Backends, ErrorInsideAStreamEndsIt) {
  std::vector<ChatEvent> events;
  const Result<> read = anthropic::StreamReader().read(
      "error", R"({"type":"error","error":{"type":"overloaded_error","message":"busy"}})", events);
  EXPECT_EQ(read.error().code, ErrorCode::kUnavailable);
}

TEST(UpstreamError, KeysThatAProviderEchoesAreNotPassedOn) {
  const Error error = upstream_error(
      "openai", 401,
      R"({"error":{"message":"Incorrect API key provided: sk-abc123456789. Bearer sk-zzzz9999"}})",
      "", 0);

  EXPECT_EQ(error.code, ErrorCode::kUnauthorized);
  EXPECT_EQ(error.message.find("abc123"), std::string::npos);
  EXPECT_EQ(error.message.find("zzzz"), std::string::npos);
}

TEST(UpstreamError, RetryAfterIsReadAsSecondsOrDate) {
  EXPECT_EQ(upstream_error("p", 429, "", "2", 0).retry_after, std::chrono::seconds{2});
  EXPECT_EQ(upstream_error("p", 429, "", "Thu, 01 Jan 1970 00:01:40 GMT", 90).retry_after,
            std::chrono::seconds{10});
  EXPECT_EQ(upstream_error("p", 429, "", "soon", 0).retry_after, std::nullopt);
}

}  // namespace
}  // namespace minimill::protocol
