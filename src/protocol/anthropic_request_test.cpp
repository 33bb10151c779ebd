#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/openai.h"

namespace minimill::protocol {
namespace {

using ::testing::HasSubstr;

std::string with(std::string_view fields) {
  return R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],)" +
         std::string(fields) + "}";
}

std::string saying(std::string_view block) {
  return R"({"model":"m","max_tokens":1,"messages":[{"role":"user","content":[)" +
         std::string(block) + "]}]}";
}

json::object translated(std::string_view openai_body) {
  const auto request = openai::parse_chat_request(openai_body).value();
  return parse_json_object(anthropic::write_messages_request(request, "c", false)).value();
}

TEST(AnthropicRequest, EveryWrongFieldIsNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"model":"m","messages":[]})", "max_tokens"},
      {R"({"model":"m","max_tokens":1})", "messages"},
      {R"({"model":"m","max_tokens":1,"messages":[]})", "messages"},
      {R"({"max_tokens":1,"messages":[]})", "model"},
      {R"({"model":"m","max_tokens":1,"messages":[{"role":"tool","content":"x"}]})",
       "messages[0].role"},
      {R"({"model":"m","max_tokens":1,"messages":[{"role":"user"}]})", "messages[0].content"},
      {saying("1"), "messages[0].content[0]"},
      {saying(R"({"type":"text"})"), "messages[0].content[0].text"},
      {saying(R"({"type":5})"), "messages[0].content[0].type"},
      {saying(R"({"type":"image"})"), "messages[0].content[0].source"},
      {saying(R"({"type":"image","source":{}})"), "messages[0].content[0].source.type"},
      {saying(R"({"type":"image","source":{"type":"base64","media_type":"m"}})"),
       "messages[0].content[0].source.data"},
      {saying(R"({"type":"tool_use","id":"i","name":"n","input":1})"),
       "messages[0].content[0].input"},
      {saying(R"({"type":"tool_result"})"), "messages[0].content[0].tool_use_id"},
      {saying(R"({"type":"tool_result","tool_use_id":"t","content":[3]})"),
       "messages[0].content[0].content[0]"},
      {with(R"("system":5)"), "system"},
      {with(R"("system":[5])"), "system[0]"},
      {with(R"("temperature":1.5)"), "temperature"},
      {with(R"("stop_sequences":"s")"), "stop_sequences"},
      {with(R"("stop_sequences":[1])"), "stop_sequences"},
      {with(R"("tools":[{}])"), "tools[0].name"},
      {with(R"("tool_choice":{})"), "tool_choice.type"},
      {with(R"("tool_choice":{"type":"tool"})"), "tool_choice.name"},
      {with(R"("stream":"s")"), "stream"},
  };
  for (const auto& [body, field] : cases) {
    const auto request = anthropic::parse_messages_request(body);
    ASSERT_FALSE(request.has_value()) << body;
    EXPECT_EQ(request.error().field, field) << body;
  }
}

TEST(AnthropicRequest, ItsOwnBodyPassesThrough) {
  const auto request =
      anthropic::parse_messages_request(
          saying(
              R"({"type":"thinking","thinking":"t","signature":"s"},{"type":"text","text":"x"})"))
          .value();
  const auto sent =
      parse_json_object(anthropic::write_messages_request(request, "c", true)).value();

  EXPECT_EQ(sent.at("model"), "c");
  EXPECT_EQ(sent.at("stream"), true);
  EXPECT_EQ(sent.at("messages"), request.original()->body.at("messages"));
}

TEST(AnthropicRequest, DataUrlsBecomeBase64Sources) {
  const auto sent = translated(R"({"model":"m","messages":[{"role":"user","content":[
      {"type":"image_url","image_url":{"url":"data:image/png;base64,QUJD"}},
      {"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]})");
  const json::value& blocks = sent.at("messages").at(0).at("content");

  EXPECT_EQ(json::serialize(blocks.at(0).at("source")),
            R"({"type":"base64","media_type":"image/png","data":"QUJD"})");
  EXPECT_EQ(json::serialize(blocks.at(1).at("source")),
            R"({"type":"url","url":"https://x/y.png"})");
}

TEST(AnthropicRequest, AFormatBecomesWordsInTheSystemPrompt) {
  const auto sent = translated(R"({"model":"m","messages":[{"role":"user","content":"x"}],
      "response_format":{"type":"json_schema","json_schema":{"schema":{"type":"array"}}}})");

  EXPECT_THAT(std::string(sent.at("system").as_string()), HasSubstr(R"({"type":"array"})"));
  EXPECT_EQ(sent.at("max_tokens"), anthropic::kDefaultMaxTokens);
}

TEST(AnthropicRequest, EmptyMessagesAreLeftOutAndSomebodyAlwaysSpeaks) {
  const auto joined = translated(R"({"model":"m","messages":[{"role":"user","content":"a"},
      {"role":"assistant","content":""},{"role":"user","content":"b"}]})");
  const auto only_system =
      translated(R"({"model":"m","messages":[{"role":"system","content":"s"}]})");

  EXPECT_EQ(joined.at("messages").as_array().size(), 1U);
  EXPECT_EQ(only_system.at("messages").at(0).at("content"), "s");
  EXPECT_FALSE(only_system.contains("system"));
}

TEST(AnthropicRequest, ArgumentsThatAreNoJsonAreKept) {
  const auto sent = translated(R"({"model":"m","messages":[{"role":"assistant","tool_calls":[
      {"id":"c","function":{"name":"f","arguments":"oops{"}}]}]})");

  EXPECT_EQ(json::serialize(sent.at("messages").at(0).at("content").at(0).at("input")),
            R"({"arguments":"oops{"})");
}

TEST(AnthropicRequest, SamplingIsMadeToFit) {
  const auto sent = translated(R"({"model":"m","messages":[{"role":"user","content":"x"}],
      "temperature":1.8,"top_p":1,"stop":["a"]})");

  EXPECT_EQ(sent.at("temperature"), 1.0);
  EXPECT_FALSE(sent.contains("top_p"));
  EXPECT_EQ(json::serialize(sent.at("stop_sequences")), R"(["a"])");
}

TEST(AnthropicRequest, SystemMayHaveWordsBetweenTheOthers) {
  // As Claude Code sends them.
  const auto request = anthropic::parse_messages_request(
      R"({"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "x"},
          {"role": "system", "content": "Remember the time."}]})");

  ASSERT_TRUE(request.has_value()) << request.error().to_string();
  ASSERT_EQ(request->messages().size(), 2U);
  EXPECT_EQ(request->messages()[1].role, chat::Role::kSystem);
  EXPECT_EQ(request->messages()[1].text(), "Remember the time.");
}

TEST(AnthropicRequest, NobodyIsToThinkOnInATurnWhoseThoughtsAreNotThere) {
  const auto sent = [](std::string_view more) {
    return translated(std::string(R"({"model":"m","reasoning_effort":"medium","messages":[
        {"role":"user","content":"go"})") +
                      std::string(more) + "]}");
  };

  EXPECT_TRUE(sent("").contains("thinking"));
  EXPECT_FALSE(sent(R"(,{"role":"assistant","content":null,"tool_calls":[
      {"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"c1","content":"1"})")
                   .contains("thinking"));
}

TEST(AnthropicRequest, ABeginningOfTheAnswerEndsInNoWhiteSpace) {
  const json::object sent = translated(R"({"model":"m","messages":[
      {"role":"user","content":"go "},{"role":"assistant","content":"The answer: \n"}]})");

  EXPECT_EQ(sent.at("messages").at(0).at("content").at(0).at("text"), "go ");
  EXPECT_EQ(sent.at("messages").at(1).at("content").at(0).at("text"), "The answer:");
}

TEST(AnthropicRequest, WhatIsWhiteSpaceOnlyIsLeftOut) {
  const json::object sent = translated(R"({"model":"m","messages":[{"role":"system","content":" "},
      {"role":"user","content":[{"type":"text","text":"\n"},{"type":"text","text":"go"}]}]})");

  EXPECT_FALSE(sent.contains("system"));
  EXPECT_EQ(sent.at("messages").at(0).at("content").as_array().size(), 1U);
}

TEST(AnthropicRequest, CallsHaveIdsThatClaudeTakesAndTheirResultsTheSame) {
  const json::object sent = translated(R"({"model":"m","messages":[{"role":"user","content":"go"},
      {"role":"assistant","content":null,"tool_calls":[
       {"id":"functions.f:0","type":"function","function":{"name":"f","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"functions.f:0","content":"1"}]})");

  EXPECT_EQ(sent.at("messages").at(1).at("content").at(0).at("id"), "functions_f_0");
  EXPECT_EQ(sent.at("messages").at(2).at("content").at(0).at("tool_use_id"), "functions_f_0");
}

}  // namespace
}  // namespace minimill::protocol
