#include "protocol/completions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "protocol/openai.h"
#include "protocol/request_limits.h"

namespace minimill::protocol {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string with(std::string_view fields) {
  return R"({"model":"m","prompt":"x",)" + std::string(fields) + "}";
}

std::string prompting(std::string_view prompt) {
  return R"({"model":"m","prompt":)" + std::string(prompt) + "}";
}

json::object parsed(std::string_view text) { return parse_json_object(text).value(); }

TEST(CompletionRequest, APromptIsAUsersMessageAndSaysSo) {
  const auto request = completions::parse_completion_request(R"({
      "model": "gpt-3.5-turbo-instruct", "prompt": "Say this is a test", "max_tokens": 7,
      "temperature": 0, "top_p": 1, "n": 1, "best_of": 1, "echo": false, "suffix": null,
      "stream": true, "stream_options": {"include_usage": true}, "logprobs": 2, "stop": "\n",
      "presence_penalty": 1, "frequency_penalty": -1, "logit_bias": {"50256": -100}, "seed": 4,
      "top_k": 3, "min_p": 0.5, "user": "u"})")
                           .value();

  EXPECT_THAT(request.messages(),
              ElementsAre(chat::text_message(chat::Role::kUser, "Say this is a test")));
  EXPECT_THAT(request.emulated, ElementsAre("prompt sent as a user's message"));
  EXPECT_EQ(request.original()->protocol, chat::Protocol::kCompletions);
  EXPECT_EQ(request.original()->body.at("user"), "u");
  EXPECT_TRUE(request.stream);
  EXPECT_TRUE(request.include_usage);
  EXPECT_TRUE(request.logprobs);
  EXPECT_EQ(request.top_logprobs(), 2);
  EXPECT_EQ(request.logit_bias().at("50256"), -100);
  const chat::Sampling expected{.temperature = 0,
                                .top_p = 1,
                                .max_tokens = 7,
                                .seed = 4,
                                .stop = {"\n"},
                                .presence_penalty = 1,
                                .frequency_penalty = -1,
                                .min_p = 0.5,
                                .repeat_penalty = {},
                                .top_k = 3};
  EXPECT_EQ(request.sampling(), expected);
}

TEST(CompletionRequest, DefaultsAreOpenAis) {
  const auto request = completions::parse_completion_request(prompting(R"(["one"])")).value();

  EXPECT_EQ(request.messages()[0].text(), "one");
  EXPECT_EQ(request.sampling().max_tokens, 16);
  EXPECT_FALSE(request.stream);
  EXPECT_FALSE(request.logprobs);
  EXPECT_TRUE(completions::parse_completion_request(with(R"("logprobs":0)"))->logprobs);
}

TEST(CompletionRequest, GoesToABackendAsAChat) {
  const auto request = completions::parse_completion_request(with(R"("max_tokens":7)")).value();
  const auto sent =
      openai::parse_chat_request(openai::write_chat_request(request, "backend", false)).value();

  EXPECT_EQ(sent.messages(), request.messages());
  EXPECT_EQ(sent.sampling().max_tokens, 7);
}

TEST(CompletionRequest, EveryWrongFieldIsNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"prompt":"x"})", "model"},
      {R"({"model":"","prompt":"x"})", "model"},
      {R"({"model":"m"})", "prompt"},
      {prompting("5"), "prompt"},
      {prompting("[]"), "prompt"},
      {prompting("[null]"), "prompt[0]"},
      {with(R"("max_tokens":0)"), "max_tokens"},
      {with(R"("temperature":2.1)"), "temperature"},
      {with(R"("top_p":"x")"), "top_p"},
      {with(R"("n":0)"), "n"},
      {with(R"("best_of":"x")"), "best_of"},
      {with(R"("echo":"yes")"), "echo"},
      {with(R"("suffix":5)"), "suffix"},
      {with(R"("logprobs":true)"), "logprobs"},
      {with(R"("logprobs":6)"), "logprobs"},
      {with(R"("stop":[1])"), "stop"},
      {with(R"("logit_bias":{"x":1})"), "logit_bias"},
      {with(R"("logit_bias":{"5":101})"), "logit_bias"},
      {with(R"("logit_bias":{"5":null})"), "logit_bias"},
      {with(R"("stream":1)"), "stream"},
      {with(R"("stream_options":1)"), "stream_options"},
      {with(R"("stream_options":{"include_usage":1})"), "stream_options.include_usage"},
      {with(R"("user":1)"), "user"},
  };
  for (const auto& [body, field] : cases) {
    const auto request = completions::parse_completion_request(body);
    ASSERT_FALSE(request.has_value()) << body;
    EXPECT_EQ(request.error().code, ErrorCode::kInvalidArgument) << body;
    EXPECT_EQ(request.error().field, field) << body;
  }
}

TEST(CompletionRequest, WhatNoChatCanDoIsSaidSo) {
  const std::pair<std::string, std::string> cases[] = {
      {prompting(R"(["a","b"])"), "prompt"}, {prompting("[1,2]"), "prompt"},
      {prompting("[[1],[2]]"), "prompt"},    {with(R"("suffix":"x")"), "suffix"},
      {with(R"("echo":true)"), "echo"},      {with(R"("n":2)"), "n"},
      {with(R"("best_of":3)"), "best_of"},
  };
  for (const auto& [body, field] : cases) {
    const auto request = completions::parse_completion_request(body);
    ASSERT_FALSE(request.has_value()) << body;
    EXPECT_EQ(request.error().code, ErrorCode::kUnsupported) << body;
    EXPECT_EQ(request.error().field, field) << body;
    EXPECT_FALSE(request.error().hint.empty()) << body;
  }
}

TEST(CompletionRequest, IsBoundedAndNeverCrashes) {
  std::string stops = "\"s\"";
  for (std::size_t i = 0; i < kMaxStops; ++i) stops += ",\"s\"";
  std::string bias = "\"0\":1";
  for (std::size_t i = 1; i <= completions::kMaxLogitBias; ++i) {
    bias += ",\"" + std::to_string(i) + "\":1";
  }
  const std::string deep = std::string(10'000, '[') + std::string(10'000, ']');

  EXPECT_FALSE(completions::parse_completion_request(with(R"("stop":[)" + stops + "]")));
  EXPECT_FALSE(completions::parse_completion_request(with(R"("logit_bias":{)" + bias + "}")));
  EXPECT_THAT(completions::parse_completion_request(prompting(deep)).error().message,
              HasSubstr("nested deeper"));
  EXPECT_FALSE(completions::parse_completion_request(prompting("\"\xff\"")));
  EXPECT_FALSE(completions::parse_completion_request(""));
  EXPECT_FALSE(completions::parse_completion_request("[]"));
}

TEST(CompletionAnswer, IsAsOpenAiWritesIt) {
  const chat::AnswerParts parts{.model = "m",
                                .text = "ü!",
                                .reasoning = "hm",
                                .tool_calls = {},
                                .logprobs = {{"ü", -0.5, {{"ü", -0.5, {}}}}, {"!", -1, {}}},
                                .finish = chat::FinishReason::kLength,
                                .usage = {5, 7, 0}};
  const chat::ChatAnswer answer(parts);

  const auto written = parsed(completions::write_answer(answer, "cmpl-1", 9));

  EXPECT_EQ(written, parsed(R"({"id":"cmpl-1","object":"text_completion","created":9,"model":"m",
      "choices":[{"text":"ü!","index":0,"logprobs":{"tokens":["ü","!"],"token_logprobs":[-0.5,-1.0],
        "top_logprobs":[{"ü":-0.5},{}],"text_offset":[0,1]},"finish_reason":"length"}],
      "usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12,
               "prompt_tokens_details":{"cached_tokens":0}}})"));
}

TEST(CompletionStream, IsAsOpenAiWritesIt) {
  completions::StreamWriter writer("cmpl-1", "m", 9, true);
  std::string out;
  writer.write(chat::ReasoningDelta{"hm"}, out);
  writer.write(chat::TextDelta{"a\n"}, out);
  writer.write(chat::ToolCallDelta{0, "c", "f", "{}"}, out);
  writer.write(chat::Frame{"data: x\n\n"}, out);
  writer.write(chat::Finish{chat::FinishReason::kToolCalls}, out);
  writer.write(chat::UsageReport{{3, 1, 0}}, out);
  writer.finish(out);

  const std::string head =
      R"(data: {"id":"cmpl-1","object":"text_completion","created":9,"model":"m","choices":[)";
  EXPECT_EQ(out, head + R"({"text":"a\n","index":0,"logprobs":null,"finish_reason":null}]})" +
                     "\n\n" + head +
                     R"({"text":"","index":0,"logprobs":null,"finish_reason":"stop"}]})" + "\n\n" +
                     head +
                     R"(],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4,)"
                     R"("prompt_tokens_details":{"cached_tokens":0}}})" +
                     "\n\ndata: [DONE]\n\n");
}

TEST(CompletionStream, OffsetsGoOnFromChunkToChunk) {
  completions::StreamWriter writer("cmpl-1", "m", 9, false);
  std::string out;
  writer.write(chat::TextDelta{"ab", {{"ab", -1, {}}}}, out);
  out.clear();
  writer.write(chat::TextDelta{"c", {{"c", -1, {}}}}, out);

  EXPECT_THAT(out, HasSubstr(R"("text_offset":[2])"));
}

}  // namespace
}  // namespace minimill::protocol
