#include <gtest/gtest.h>

#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/openai.h"

namespace minimill::protocol {
namespace {

using chat::AnswerParts;
using chat::ChatEvent;
using Frames = std::vector<std::pair<std::string, std::string>>;  // event, data

Frames frames_in(std::string_view text) {
  Frames frames(1);
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

AnswerParts gathered(const std::vector<ChatEvent>& events) {
  AnswerParts answer;
  for (const ChatEvent& event : events) chat::accumulate(answer, event);
  return answer;
}

std::vector<ChatEvent> read_openai(const Frames& frames) {
  openai::StreamReader reader;
  std::vector<ChatEvent> events;
  for (const auto& [event, data] : frames)
    EXPECT_TRUE(reader.read(data, events).has_value()) << data;
  return events;
}

std::vector<ChatEvent> read_anthropic(const Frames& frames) {
  anthropic::StreamReader reader;
  std::vector<ChatEvent> events;
  for (const auto& [event, data] : frames) {
    EXPECT_TRUE(reader.read(event, data, events).has_value()) << data;
  }
  return events;
}

/// Text, thoughts and pieces of tool calls in an order that no model would send them in.
std::vector<ChatEvent> any_events(std::uint32_t seed) {
  const std::vector<std::string> words{"a", "\"", "\\", "\n",     "\x01",
                                       "ü", "漢", "😀", "data: ", "{"};
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t n) { return static_cast<std::int64_t>(random() % n); };
  std::vector<ChatEvent> events;
  std::int64_t calls = 0;
  for (std::int64_t left = below(24); left > 0; --left) {
    const std::string& word = words[random() % words.size()];
    const std::int64_t kind = below(4);
    if (kind == 0) events.emplace_back(chat::TextDelta{word});
    if (kind == 1) events.emplace_back(chat::ReasoningDelta{word});
    if (kind == 2) {
      events.emplace_back(chat::ToolCallDelta{calls, "id" + std::to_string(calls), "f", "{"});
      ++calls;
    }
    if (kind == 3 && calls > 0) {
      events.emplace_back(
          chat::ToolCallDelta{below(static_cast<std::uint32_t>(calls)), {}, {}, word});
    }
  }
  events.emplace_back(chat::Finish{chat::FinishReason::kLength});
  events.emplace_back(chat::UsageReport{{10 + below(90), below(99), below(10)}});
  return events;
}

constexpr std::uint32_t kSeeds = 2000;

TEST(OpenAiStream, WhatIsWrittenReadsBack) {
  for (std::uint32_t seed = 0; seed < kSeeds; ++seed) {
    const std::vector<ChatEvent> events = any_events(seed);
    openai::StreamWriter writer("id", "m", 1, true);
    std::string out;
    for (const ChatEvent& event : events) writer.write(event, out);
    writer.finish(out);
    ASSERT_EQ(gathered(read_openai(frames_in(out))), gathered(events)) << "seed " << seed;
  }
}

TEST(AnthropicStream, WhatIsWrittenReadsBackHoweverToolCallsAreMixed) {
  for (std::uint32_t seed = 0; seed < kSeeds; ++seed) {
    const std::vector<ChatEvent> events = any_events(seed);
    anthropic::StreamWriter writer("id", "m");
    std::string out;
    for (const ChatEvent& event : events) writer.write(event, out);
    writer.finish(out);
    ASSERT_EQ(gathered(read_anthropic(frames_in(out))), gathered(events)) << "seed " << seed;
  }
}

TEST(OpenAiStream, UsageIsWrittenOnlyWhereItWasAskedFor) {
  for (const bool wanted : {true, false}) {
    openai::StreamWriter writer("id", "m", 1, wanted);
    std::string out;
    writer.write(chat::TextDelta{"x"}, out);
    writer.write(chat::UsageReport{{3, 0, 0}}, out);
    writer.finish(out);
    EXPECT_EQ(out.find("\"choices\":[],\"usage\"") != std::string::npos, wanted);
    EXPECT_EQ(out.find(R"("role":"assistant")"), out.rfind(R"("role":"assistant")"));
  }
}

TEST(OpenAiStream, FinishComesOnceAndUsageAsSoonAsItIsTold) {
  const auto events =
      read_openai({{"", R"({"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":1}})"},
                   {"", R"({"choices":[{"index":1,"delta":{"content":"other"}}]})"},
                   {"", R"({"choices":[{"delta":{},"finish_reason":"eos"}]})"},
                   {"", R"({"choices":[{"delta":{"content":"late"},"finish_reason":"length"}]})"},
                   {"", "[DONE]"}});

  const std::vector<ChatEvent> expected{chat::TextDelta{"x"}, chat::UsageReport{{1, 0, 0}},
                                        chat::Finish{chat::FinishReason::kStop}};
  EXPECT_EQ(events, expected);
}

TEST(OpenAiStream, CachedTokensAndBothNamesOfReasoningAreRead) {
  const auto events = read_openai(
      {{"", R"({"choices":[{"delta":{"reasoning":"a"}}]})"},
       {"", R"({"choices":[{"delta":{"reasoning_content":"b"},"finish_reason":"stop"}]})"},
       {"", R"({"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,
               "prompt_tokens_details":{"cached_tokens":4}}})"}});

  EXPECT_EQ(gathered(events).reasoning, "ab");
  EXPECT_EQ(gathered(events).usage.cached_prompt_tokens, 4);
}

TEST(OpenAiStream, ImpossibleToolIndexesAreUpstreamErrors) {
  for (const char* index : {"-1", "128", "1e300", "1.5", "\"x\""}) {
    std::vector<ChatEvent> events;
    const auto read = openai::StreamReader().read(
        R"({"choices":[{"delta":{"tool_calls":[{"index":)" + std::string(index) + "}]}}]}", events);
    ASSERT_FALSE(read.has_value()) << index;
    EXPECT_EQ(read.error().code, ErrorCode::kUpstream);
  }
}

TEST(OpenAiStream, AnErrorObjectEndsItWithItsMessageAndWithoutKeys) {
  std::vector<ChatEvent> events;
  const auto read =
      openai::StreamReader().read(R"({"error":{"message":"bad key sk-proj-abcdefgh"}})", events);

  EXPECT_EQ(read.error().code, ErrorCode::kUpstream);
  EXPECT_EQ(read.error().message, "broke off its answer: bad key sk-***");
}

TEST(AnthropicStream, ErrorsKeepTheirMeaning) {
  const std::pair<const char*, ErrorCode> cases[] = {{"overloaded_error", ErrorCode::kUnavailable},
                                                     {"rate_limit_error", ErrorCode::kRateLimited},
                                                     {"api_error", ErrorCode::kUpstream}};
  for (const auto& [type, code] : cases) {
    std::vector<ChatEvent> events;
    const auto read = anthropic::StreamReader().read(
        "error", R"({"type":"error","error":{"type":")" + std::string(type) + R"("}})", events);
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().code, code);
  }
}

TEST(AnthropicStream, AllOfThePromptIsCountedAndACallWithoutArgumentsIsJson) {
  const auto events = read_anthropic(
      {{"", R"({"type":"message_start","message":{"model":"c","usage":{"input_tokens":5,
              "cache_read_input_tokens":3,"cache_creation_input_tokens":2}}})"},
       {"", R"({"type":"ping"})"},
       {"",
        R"({"type":"content_block_start","content_block":{"type":"tool_use","id":"t","name":"f","input":{}}})"},
       {"", R"({"type":"content_block_stop"})"},
       {"", R"({"type":"content_block_start","content_block":{"type":"server_tool_use"}})"},
       {"",
        R"({"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{\"q\":1}"}})"},
       {"",
        R"({"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":7}})"},
       {"", R"({"type":"message_stop"})"}});
  const AnswerParts answer = gathered(events);

  EXPECT_EQ(answer.usage, (chat::Usage{10, 7, 3, 2}));
  ASSERT_EQ(answer.tool_calls.size(), 1U);
  EXPECT_EQ(answer.tool_calls[0].arguments, "{}");
  EXPECT_EQ(answer.finish, chat::FinishReason::kToolCalls);
}

TEST(AnthropicStream, PromptIsCountedBeforeAWordIsSaid) {
  const auto events = read_anthropic(
      {{"",
        R"({"type":"message_start","message":{"model":"c","usage":{"input_tokens":5,"output_tokens":1}}})"}});

  EXPECT_EQ(events, std::vector<ChatEvent>{chat::UsageReport({5, 1, 0})});
}

TEST(AnthropicStream, CountsThatNoAnswerHasDoNotOverflow) {
  const std::string most = std::to_string(std::numeric_limits<std::int64_t>::max());
  const auto events = read_anthropic(
      {{"",
        R"({"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":)" +
            most + R"(,"cache_read_input_tokens":)" + most + "}}"}});

  EXPECT_EQ(gathered(events).usage, chat::Usage{});
}

TEST(Streams, WhatIsNoEventIsGarbage) {
  std::vector<ChatEvent> events;
  for (const char* data : {"{", "[]", "7", R"({"choices":[7]})"}) {
    EXPECT_FALSE(openai::StreamReader().read(data, events).has_value()) << data;
  }
  for (const char* data : {"{", "[]", "{}", R"({"type":"content_block_delta"})"}) {
    EXPECT_FALSE(anthropic::StreamReader().read("", data, events).has_value()) << data;
  }
}

TEST(OpenAiStream, ANewIdBeginsANewCallWhateverItsIndex) {
  openai::StreamReader reader;
  std::vector<ChatEvent> events;
  for (const char* call : {R"({"index":0,"id":"a","function":{"name":"f","arguments":"{"}})",
                           R"({"index":0,"id":"","function":{"arguments":"}"}})",
                           R"({"index":0,"id":"b","function":{"name":"g","arguments":"{}"}})"}) {
    const std::string data =
        std::string(R"({"choices":[{"index":0,"delta":{"tool_calls":[)") + call + "]}}]}";
    ASSERT_TRUE(reader.read(data, events));
  }

  const AnswerParts answer = gathered(events);

  ASSERT_EQ(answer.tool_calls.size(), 2U);
  EXPECT_EQ(answer.tool_calls[0], (chat::ToolCall{"a", "f", "{}"}));
  EXPECT_EQ(answer.tool_calls[1], (chat::ToolCall{"b", "g", "{}"}));
}

TEST(OpenAiStream, AnAnswerWithCallsEndsByThemWhateverTheBackendSays) {
  openai::StreamReader reader;
  std::vector<ChatEvent> events;
  for (
      const char* choice :
      {R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}})",
       R"({"index":0,"delta":{},"finish_reason":"stop"})"}) {
    ASSERT_TRUE(reader.read(std::string(R"({"choices":[)") + choice + "]}", events));
  }
  const auto whole = openai::parse_answer(
      R"({"choices":[{"message":{"content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]},
          "finish_reason":"stop"}]})");

  EXPECT_EQ(gathered(events).finish, chat::FinishReason::kToolCalls);
  EXPECT_EQ(whole->finish(), chat::FinishReason::kToolCalls);
}

}  // namespace
}  // namespace minimill::protocol
