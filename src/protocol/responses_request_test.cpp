#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/json.h"
#include "protocol/openai.h"
#include "protocol/request_limits.h"
#include "protocol/responses.h"

namespace minimill::protocol::responses {
namespace {

using chat::Message;
using chat::Role;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string with(std::string_view fields) {
  return R"({"model":"m","input":"x",)" + std::string(fields) + "}";
}

std::string saying(std::string_view items) {
  return R"({"model":"m","input":[)" + std::string(items) + "]}";
}

std::string part(std::string_view part) {
  return saying(R"({"role":"user","content":[)" + std::string(part) + "]}");
}

ResponsesRequest read(std::string_view body) { return parse_responses_request(body).value(); }

TEST(ResponsesRequest, StringIsWhatTheUserSays) {
  const ResponsesRequest request = read(R"({"model":"m","input":"hi","instructions":"be brief"})");

  EXPECT_THAT(request.chat.messages(), ElementsAre(chat::text_message(Role::kSystem, "be brief"),
                                                   chat::text_message(Role::kUser, "hi")));
  EXPECT_EQ(json::serialize(request.input_items),
            R"([{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}])");
  EXPECT_EQ(request.chat.original()->protocol, chat::Protocol::kResponses);
  EXPECT_EQ(request.chat.original()->body.at("input"), "hi");
  EXPECT_TRUE(request.store);
  EXPECT_FALSE(request.chat.stream);
  EXPECT_THAT(request.chat.emulated, ElementsAre());
}

TEST(ResponsesRequest, EveryKindOfPartIsRead) {
  const ResponsesRequest request = read(saying(R"(
      {"role":"developer","content":[{"type":"input_text","text":"d"}]},
      {"type":"message","role":"user","content":[{"type":"input_text","text":"look"},
        {"type":"input_image","image_url":"data:image/png;base64,QQ==","detail":"auto"}]},
      {"type":"message","role":"assistant","id":"msg_1","status":"completed","content":[
        {"type":"output_text","text":"a","annotations":[]},{"type":"refusal","refusal":"no"}]})"));

  EXPECT_THAT(
      request.chat.messages(),
      ElementsAre(chat::text_message(Role::kSystem, "d"),
                  Message{.role = Role::kUser,
                          .parts = {chat::Text{"look"}, chat::Image{"data:image/png;base64,QQ=="}}},
                  Message{.role = Role::kAssistant, .parts = {chat::Text{"a"}, chat::Text{"no"}}}));
}

TEST(ResponsesRequest, NeighbouringCallsAreOneMessageAndEachResultIsItsOwn) {
  const ResponsesRequest request = read(saying(R"(
      {"role":"assistant","content":"let me see"},
      {"type":"reasoning","id":"rs_1","summary":[]},
      {"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"},
      {"type":"function_call","call_id":"c2","name":"g","arguments":""},
      {"type":"function_call_output","call_id":"c1","output":"one"},
      {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"t"},
        {"type":"input_text","text":"wo"}]},
      {"type":"function_call","call_id":"c3","name":"f","arguments":"{}"},
      {"role":"assistant","content":"and so on"})"));

  EXPECT_THAT(
      request.chat.messages(),
      ElementsAre(
          Message{.role = Role::kAssistant,
                  .parts = {chat::Text{"let me see"}, chat::ToolCall{"c1", "f", R"({"a":1})"},
                            chat::ToolCall{"c2", "g", "{}"}}},
          Message{.role = Role::kTool, .parts = {chat::ToolResult{"c1", "one"}}},
          Message{.role = Role::kTool, .parts = {chat::ToolResult{"c2", "t\nwo"}}},
          Message{.role = Role::kAssistant,
                  .parts = {chat::ToolCall{"c3", "f", "{}"}, chat::Text{"and so on"}}}));
  EXPECT_EQ(request.input_items.size(), 8U);
  EXPECT_THAT(request.chat.emulated, ElementsAre("reasoning items left out"));
}

TEST(ResponsesRequest, StoredItemsHaveTheirTypeAndTheirContentInParts) {
  const ResponsesRequest request = read(saying(R"({"role":"assistant","content":"a","id":"i"})"));

  EXPECT_EQ(json::serialize(request.input_items),
            R"([{"role":"assistant","content":[{"type":"output_text","text":"a",)"
            R"("annotations":[]}],"id":"i","type":"message"}])");
}

TEST(ResponsesRequest, FlatToolsAndFormatsBecomeChats) {
  const ResponsesRequest request = read(with(R"("tools":[{"type":"function","name":"f",
      "description":"d","parameters":{"type":"object"},"strict":true}],
      "tool_choice":{"type":"function","name":"f"},"parallel_tool_calls":false,
      "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"array"},"strict":true}},
      "temperature":0.5,"top_p":0.9,"max_output_tokens":7,"reasoning":{"effort":"low"},
      "include":["message.output_text.logprobs"],"top_logprobs":3,"stream":true,"store":false)"));

  const chat::ChatRequest& chat = request.chat;
  EXPECT_THAT(chat.tools(), ElementsAre(chat::Tool{"f", "d", {{"type", "object"}}, true}));
  EXPECT_EQ(chat.tool_choice(), chat::ToolChoice::kNamed);
  EXPECT_EQ(chat.tool_name(), "f");
  EXPECT_EQ(chat.parallel_tool_calls(), false);
  EXPECT_EQ(json::serialize(chat.json_schema()),
            R"({"name":"n","schema":{"type":"array"},"strict":true})");
  EXPECT_EQ(chat.sampling().temperature, 0.5);
  EXPECT_EQ(chat.sampling().top_p, 0.9);
  EXPECT_EQ(chat.sampling().max_tokens, 7);
  EXPECT_EQ(chat.reasoning_effort(), "low");
  EXPECT_TRUE(chat.logprobs);
  EXPECT_EQ(chat.top_logprobs(), 3);
  EXPECT_TRUE(chat.stream);
  EXPECT_FALSE(request.store);
}

TEST(ResponsesRequest, EchoHasEveryFieldWhateverTheRequestLeavesOut) {
  EXPECT_EQ(json::serialize(read(R"({"model":"m","input":"x"})").echo),
            R"({"instructions":null,"tools":[],"tool_choice":"auto",)"
            R"("text":{"format":{"type":"text"}},"reasoning":{"effort":null,"summary":null},)"
            R"("metadata":{},"temperature":null,"top_p":null,"max_output_tokens":null,)"
            R"("top_logprobs":0,"truncation":"disabled","previous_response_id":null,"user":null,)"
            R"("safety_identifier":null,"prompt_cache_key":null,"service_tier":"default",)"
            R"("store":true,"parallel_tool_calls":true})");

  const json::object echo = read(with(R"("metadata":{"k":"v"},"user":"u","tools":[
      {"type":"function","name":"f"}],"tool_choice":"required","previous_response_id":"resp_1",
      "safety_identifier":"s","prompt_cache_key":"p","service_tier":"flex")"))
                                .echo;
  EXPECT_EQ(echo.at("metadata").at("k"), "v");
  EXPECT_EQ(echo.at("user"), "u");
  EXPECT_EQ(
      json::serialize(echo.at("tools")),
      R"([{"type":"function","name":"f","description":null,"parameters":{},"strict":false}])");
  EXPECT_EQ(echo.at("tool_choice"), "required");
  EXPECT_EQ(echo.at("previous_response_id"), "resp_1");
}

TEST(ResponsesRequest, WhatIsDoneOtherwiseThanAskedIsNoted) {
  const ResponsesRequest request = read(with(R"("truncation":"auto","text":{"verbosity":"low"},
      "include":["reasoning.encrypted_content"],"top_logprobs":4)"));

  EXPECT_THAT(request.chat.emulated,
              ElementsAre("text.verbosity left out", "reasoning.encrypted_content left out",
                          "truncation disabled"));
  EXPECT_FALSE(request.chat.logprobs);
  EXPECT_EQ(request.chat.top_logprobs(), 0);
}

TEST(ResponsesRequest, HistoryStandsBetweenInstructionsAndInput) {
  ResponsesRequest request = read(with(R"("instructions":"i","previous_response_id":"resp_1")"));
  ResponsesRequest bare = read(R"({"model":"m","input":"x"})");

  insert_history(request, {chat::text_message(Role::kUser, "before")});
  insert_history(bare, {chat::text_message(Role::kUser, "before")});

  EXPECT_EQ(request.previous_response_id, "resp_1");
  EXPECT_THAT(request.chat.messages(), ElementsAre(chat::text_message(Role::kSystem, "i"),
                                                   chat::text_message(Role::kUser, "before"),
                                                   chat::text_message(Role::kUser, "x")));
  EXPECT_THAT(bare.chat.messages(), ElementsAre(chat::text_message(Role::kUser, "before"),
                                                chat::text_message(Role::kUser, "x")));
}

TEST(ResponsesRequest, ChatCompletionsBackendGetsItAll) {
  const ResponsesRequest request = read(saying(R"(
      {"role":"user","content":"x"},
      {"type":"function_call","call_id":"c1","name":"f","arguments":"{}"},
      {"type":"function_call_output","call_id":"c1","output":"r"})"));

  const auto sent = parse_json_object(openai::write_chat_request(request.chat, "m", false)).value();

  EXPECT_EQ(json::serialize(sent.at("messages")),
            R"([{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[)"
            R"({"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},)"
            R"({"role":"tool","tool_call_id":"c1","content":"r"}])");
}

TEST(ResponsesRequest, EveryWrongFieldIsNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"input":"x"})", "model"},
      {R"({"model":"","input":"x"})", "model"},
      {R"({"model":"m"})", "input"},
      {R"({"model":"m","input":5})", "input"},
      {R"({"model":"m","input":[]})", "input"},
      {saying("1"), "input[0]"},
      {saying("{}"), "input[0].type"},
      {saying(R"({"type":5})"), "input[0].type"},
      {saying(R"({"type":5,"role":"user","content":"x"})"), "input[0].type"},
      {saying(R"({"type":"reasoning"})"), "input"},
      {saying(R"({"type":"message"})"), "input[0].role"},
      {saying(R"({"role":"tool","content":"x"})"), "input[0].role"},
      {saying(R"({"role":"user"})"), "input[0].content"},
      {saying(R"({"role":"user","content":5})"), "input[0].content"},
      {part("5"), "input[0].content[0]"},
      {part("{}"), "input[0].content[0].type"},
      {part(R"({"type":"input_text"})"), "input[0].content[0].text"},
      {part(R"({"type":"input_image"})"), "input[0].content[0].image_url"},
      {saying(R"({"role":"system","content":[{"type":"input_image","image_url":"u"}]})"),
       "input[0].content[0].type"},
      {saying(R"({"type":"function_call","name":"f","arguments":"{}"})"), "input[0].call_id"},
      {saying(R"({"type":"function_call","call_id":"c","arguments":"{}"})"), "input[0].name"},
      {saying(R"({"type":"function_call","call_id":"c","name":"f"})"), "input[0].arguments"},
      {saying(R"({"type":"function_call_output","output":"x"})"), "input[0].call_id"},
      {saying(R"({"type":"function_call_output","call_id":"c"})"), "input[0].output"},
      {with(R"("instructions":[])"), "instructions"},
      {with(R"("tools":{})"), "tools"},
      {with(R"("tools":[5])"), "tools[0]"},
      {with(R"("tools":[{"name":"f"}])"), "tools[0].type"},
      {with(R"("tools":[{"type":"function"}])"), "tools[0].name"},
      {with(R"("tools":[{"type":"function","name":"f","parameters":5}])"), "tools[0].parameters"},
      {with(R"("tools":[{"type":"function","name":"f","strict":5}])"), "tools[0].strict"},
      {with(R"("tool_choice":"any")"), "tool_choice"},
      {with(R"("tool_choice":{})"), "tool_choice.type"},
      {with(R"("tool_choice":{"type":"function"})"), "tool_choice.name"},
      {with(R"("text":5)"), "text"},
      {with(R"("text":{"verbosity":"loud"})"), "text.verbosity"},
      {with(R"("text":{"format":{}})"), "text.format.type"},
      {with(R"("text":{"format":{"type":"xml"}})"), "text.format.type"},
      {with(R"("text":{"format":{"type":"json_schema","schema":{}}})"), "text.format.name"},
      {with(R"("text":{"format":{"type":"json_schema","name":"n"}})"), "text.format.schema"},
      {with(R"("reasoning":{"effort":"a lot"})"), "reasoning.effort"},
      {with(R"("reasoning":{"summary":"rhymed"})"), "reasoning.summary"},
      {with(R"("include":"x")"), "include"},
      {with(R"("include":["x"])"), "include[0]"},
      {with(R"("include":[5])"), "include[0]"},
      {with(R"("metadata":{"k":5})"), "metadata"},
      {with(R"("temperature":3)"), "temperature"},
      {with(R"("top_p":-1)"), "top_p"},
      {with(R"("max_output_tokens":0)"), "max_output_tokens"},
      {with(R"("top_logprobs":21)"), "top_logprobs"},
      {with(R"("truncation":"some")"), "truncation"},
      {with(R"("stream":"yes")"), "stream"},
      {with(R"("store":1)"), "store"},
      {with(R"("parallel_tool_calls":1)"), "parallel_tool_calls"},
      {with(R"("previous_response_id":1)"), "previous_response_id"},
      {with(R"("user":1)"), "user"},
      {with(R"("background":1)"), "background"},
  };
  for (const auto& [body, field] : cases) {
    const auto request = parse_responses_request(body);
    ASSERT_FALSE(request.has_value()) << body;
    EXPECT_EQ(request.error().field, field) << body;
    EXPECT_EQ(request.error().code, ErrorCode::kInvalidArgument) << body;
  }
}

TEST(ResponsesRequest, WhatOnlyOpenAiCanDoIsUnsupportedByName) {
  const std::pair<std::string, std::string> cases[] = {
      {with(R"("background":true)"), "background"},
      {with(R"("conversation":"conv_1")"), "conversation"},
      {with(R"("prompt":{"id":"p"})"), "prompt"},
      {with(R"("tool_choice":{"type":"file_search"})"), "tool_choice.type"},
      {saying(R"({"type":"item_reference","id":"i"})"), "input[0].type"},
      {part(R"({"type":"input_file","file_id":"f"})"), "input[0].content[0].file_id"},
      {part(R"({"type":"input_audio"})"), "input[0].content[0].type"},
      {part(R"({"type":"input_image","file_id":"f"})"), "input[0].content[0].file_id"},
  };
  for (const auto& [body, field] : cases) {
    const auto request = parse_responses_request(body);
    ASSERT_FALSE(request.has_value()) << body;
    EXPECT_EQ(request.error().field, field) << body;
    EXPECT_EQ(request.error().code, ErrorCode::kUnsupported) << body;
  }
  EXPECT_THAT(parse_responses_request(cases[3].first).error().message, HasSubstr("file_search"));
}

TEST(ResponsesRequest, NumbersThatCouldNotBeWrittenAgainAreRefused) {
  const auto sized = [](std::string_view number) {
    return with(R"("tools":[{"type":"function","name":"f","parameters":{"enum":[1,)" +
                std::string(number) + "]}}]");
  };

  EXPECT_TRUE(parse_responses_request(sized("1e300")).has_value());
  EXPECT_EQ(parse_responses_request(sized("1e400")).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(parse_responses_request(sized("-1e400")).error().code, ErrorCode::kInvalidArgument);
}

TEST(ResponsesRequest, CountsAreBounded) {
  const auto many = [](std::size_t count, std::string_view each) {
    std::string out(each);
    for (std::size_t i = 1; i < count; ++i) out.append(",").append(each);
    return out;
  };
  const std::string item = R"({"role":"user","content":"x"})";
  const std::string tool = R"({"type":"function","name":"f"})";

  EXPECT_TRUE(parse_responses_request(saying(many(kMaxMessages, item))).has_value());
  EXPECT_FALSE(parse_responses_request(saying(many(kMaxMessages + 1, item))).has_value());
  EXPECT_FALSE(
      parse_responses_request(with(R"("tools":[)" + many(kMaxTools + 1, tool) + "]")).has_value());
  EXPECT_FALSE(
      parse_responses_request(part(many(kMaxParts + 1, R"({"type":"input_text","text":"x"})")))
          .has_value());
  EXPECT_FALSE(
      parse_responses_request(with(R"("metadata":{"k":")" + std::string(2049, 'v') + R"("})"))
          .has_value());
  EXPECT_FALSE(
      parse_responses_request(with(R"("previous_response_id":")" + std::string(257, 'v') + R"(")"))
          .has_value());
}

}  // namespace
}  // namespace minimill::protocol::responses
