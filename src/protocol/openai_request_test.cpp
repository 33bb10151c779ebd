#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/openai.h"
#include "protocol/request_limits.h"

namespace minimill::protocol {
namespace {

using ::testing::HasSubstr;

std::string with(std::string_view fields) {
  return R"({"model":"m","messages":[{"role":"user","content":"x"}],)" + std::string(fields) + "}";
}

std::string saying(std::string_view message) {
  return R"({"model":"m","messages":[)" + std::string(message) + "]}";
}

std::string repeated(std::string_view entry, std::size_t times) {
  std::string list;
  for (std::size_t i = 0; i < times; ++i) list.append(i == 0 ? "" : ",").append(entry);
  return list;
}

TEST(OpenAiRequest, EveryWrongFieldIsNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"messages":[]})", "model"},
      {R"({"model":"","messages":[]})", "model"},
      {R"({"model":7,"messages":[]})", "model"},
      {R"({"model":"m"})", "messages"},
      {R"({"model":"m","messages":[]})", "messages"},
      {R"({"model":"m","messages":{}})", "messages"},
      {saying("3"), "messages[0]"},
      {saying(R"({"content":"x"})"), "messages[0].role"},
      {saying(R"({"role":"king","content":"x"})"), "messages[0].role"},
      {saying(R"({"role":"user"})"), "messages[0].content"},
      {saying(R"({"role":"user","content":5})"), "messages[0].content"},
      {saying(R"({"role":"user","content":[5]})"), "messages[0].content[0]"},
      {saying(R"({"role":"user","content":[{"type":"text"}]})"), "messages[0].content[0].text"},
      {saying(R"({"role":"user","content":[{}]})"), "messages[0].content[0].type"},
      {saying(R"({"role":"user","content":[{"type":"image_url"}]})"),
       "messages[0].content[0].image_url"},
      {saying(R"({"role":"user","content":[{"type":"image_url","image_url":{}}]})"),
       "messages[0].content[0].image_url.url"},
      {saying(R"({"role":"tool","content":"x"})"), "messages[0].tool_call_id"},
      {saying(R"({"role":"user","content":"x","tool_calls":[]})"), "messages[0].tool_calls"},
      {saying(R"({"role":"assistant","tool_calls":[{"id":"a"}]})"),
       "messages[0].tool_calls[0].function"},
      {saying(R"({"role":"assistant","tool_calls":[{"id":"a","function":{"name":1}}]})"),
       "messages[0].tool_calls[0].function.name"},
      {with(R"("temperature":2.1)"), "temperature"},
      {with(R"("top_p":-0.1)"), "top_p"},
      {with(R"("max_completion_tokens":0)"), "max_completion_tokens"},
      {with(R"("seed":"s")"), "seed"},
      {with(R"("n":0)"), "n"},
      {with(R"("stop":5)"), "stop"},
      {with(R"("stop":["a",5])"), "stop"},
      {with(R"("stream":1)"), "stream"},
      {with(R"("stream_options":1)"), "stream_options"},
      {with(R"("tools":[1])"), "tools[0]"},
      {with(R"("tools":[{"type":"custom"}])"), "tools[0].custom"},
      {with(R"("tools":[{"function":{"name":"f","parameters":1}}])"),
       "tools[0].function.parameters"},
      {with(R"("tool_choice":{})"), "tool_choice.function"},
      {with(R"("tool_choice":{"function":{}})"), "tool_choice.function.name"},
      {with(R"("response_format":{})"), "response_format.type"},
      {with(R"("response_format":{"type":"json_schema"})"), "response_format.json_schema"},
  };
  for (const auto& [body, field] : cases) {
    const auto request = openai::parse_chat_request(body);
    ASSERT_FALSE(request.has_value()) << body;
    EXPECT_EQ(request.error().code, ErrorCode::kInvalidArgument) << body;
    EXPECT_EQ(request.error().field, field) << body;
  }
}

TEST(OpenAiRequest, IsBounded) {
  const std::string message = R"({"role":"user","content":"x"})";
  const std::string part = R"({"type":"text","text":"x"})";
  const auto parts = [&](std::size_t n) {
    return saying(R"({"role":"user","content":[)" + repeated(part, n) + "]}");
  };
  const auto tools = [&](std::size_t n) {
    return with(R"("tools":[)" + repeated(R"({"function":{"name":"f"}})", n) + "]");
  };

  EXPECT_TRUE(openai::parse_chat_request(saying(repeated(message, kMaxMessages))));
  EXPECT_FALSE(openai::parse_chat_request(saying(repeated(message, kMaxMessages + 1))));
  EXPECT_TRUE(openai::parse_chat_request(parts(kMaxParts)));
  EXPECT_FALSE(openai::parse_chat_request(parts(kMaxParts + 1)));
  EXPECT_TRUE(openai::parse_chat_request(tools(kMaxTools)));
  EXPECT_FALSE(openai::parse_chat_request(tools(kMaxTools + 1)));
  EXPECT_FALSE(openai::parse_chat_request(with(R"("stop":[)" + repeated("\"s\"", 17) + "]")));
  EXPECT_FALSE(
      openai::parse_chat_request(R"({"messages":[],"model":")" + std::string(257, 'm') + "\"}"));
}

TEST(OpenAiRequest, DeepJsonAndBadUtf8AreErrorsNotCrashes) {
  const std::string deep = with(R"("x":)" + std::string(10'000, '[') + std::string(10'000, ']'));

  EXPECT_THAT(openai::parse_chat_request(deep).error().message, HasSubstr("nested deeper"));
  EXPECT_FALSE(openai::parse_chat_request(saying("{\"role\":\"user\",\"content\":\"\xff\"}")));
  EXPECT_FALSE(openai::parse_chat_request(""));
  EXPECT_FALSE(openai::parse_chat_request("[]"));
}

TEST(OpenAiRequest, AnEchoedValueIsShortAndValid) {
  std::string role;
  for (int i = 0; i < 1000; ++i) role += "ü";
  const auto request = openai::parse_chat_request(saying(R"({"role":")" + role + "\"}"));

  EXPECT_LT(request.error().message.size(), 100U);
  EXPECT_TRUE(parse_json(openai::write_error(request.error())).has_value());
}

TEST(OpenAiRequest, DeveloperIsSystemAndTheNewerLimitWins) {
  const auto request =
      openai::parse_chat_request(
          R"({"model":"m","messages":[{"role":"developer","content":"d"}],"max_tokens":1,
              "max_completion_tokens":2,"stream_options":{"include_usage":true}})")
          .value();

  EXPECT_EQ(request.messages()[0].role, chat::Role::kSystem);
  EXPECT_EQ(request.sampling().max_tokens, 2);
  EXPECT_TRUE(request.include_usage);
}

TEST(OpenAiRequest, StreamingAlwaysCountsTokens) {
  const auto request =
      openai::parse_chat_request(with(R"("stream_options":{"include_usage":false})")).value();
  const auto sent = parse_json_object(openai::write_chat_request(request, "r", true)).value();

  EXPECT_EQ(sent.at("stream"), true);
  EXPECT_EQ(sent.at("stream_options").at("include_usage"), true);
  EXPECT_EQ(sent.at("messages"), request.original()->body.at("messages"));
}

TEST(OpenAiRequest, WrittenFromPartsItReadsBack) {
  const auto request = openai::parse_chat_request(
                           R"({"model":"m","temperature":0.5,"seed":3,"stop":"s","messages":[
      {"role":"system","content":"s"},
      {"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"u"}}]},
      {"role":"assistant","content":null,"tool_calls":[{"id":"c","function":{"name":"f","arguments":"{}"}}]},
      {"role":"tool","tool_call_id":"c","content":"r"}],
      "tools":[{"function":{"name":"f","description":"d","parameters":{"type":"object"}}}],
      "tool_choice":{"function":{"name":"f"}},
      "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}}})")
                           .value();
  const chat::ChatRequest of_parts(request.parts());

  const auto back =
      openai::parse_chat_request(openai::write_chat_request(of_parts, "m", false)).value();

  EXPECT_EQ(back.parts(), request.parts());
}

TEST(OpenAiRequest, AnthropicsIsTranslated) {
  const auto request =
      anthropic::parse_messages_request(
          R"({"model":"m","max_tokens":9,"system":[{"type":"text","text":"s"}],"messages":[
      {"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"a":1}}]},
      {"role":"user","content":[{"type":"text","text":"x"},{"type":"tool_result","tool_use_id":"t","content":"r"}]}]})")
          .value();
  const auto sent = parse_json_object(openai::write_chat_request(request, "r", false)).value();
  const json::array& messages = sent.at("messages").as_array();

  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[0].at("role"), "system");
  EXPECT_EQ(messages[1].at("tool_calls").at(0).at("function").at("arguments"), R"({"a":1})");
  EXPECT_EQ(messages[2].at("role"), "tool");  // right after the call, as OpenAI wants it
  EXPECT_EQ(messages[3].at("content"), "x");
  EXPECT_EQ(sent.at("max_tokens"), 9);
}

}  // namespace
}  // namespace minimill::protocol
