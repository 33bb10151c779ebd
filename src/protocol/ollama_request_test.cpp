#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/json.h"
#include "protocol/ollama.h"
#include "protocol/openai.h"
#include "protocol/request_limits.h"

namespace minimill::protocol {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string with(std::string_view fields) {
  return R"({"model":"m","messages":[{"role":"user","content":"x"}],)" + std::string(fields) + "}";
}

std::string saying(std::string_view messages) {
  return R"({"model":"m","messages":[)" + std::string(messages) + "]}";
}

std::string generating(std::string_view fields) {
  return R"({"model":"m","prompt":"x",)" + std::string(fields) + "}";
}

std::string repeated(std::string_view entry, std::size_t times) {
  std::string list;
  for (std::size_t i = 0; i < times; ++i) list.append(i == 0 ? "" : ",").append(entry);
  return list;
}

TEST(OllamaRequest, AWholeChatIsRead) {
  const auto request = ollama::parse_chat_request(R"({
      "model": "llama3.2:3b", "format": "json", "think": true, "keep_alive": "1h30m",
      "logprobs": true, "top_logprobs": 3,
      "messages": [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": "What is this?", "images": ["iVBORw0KGgo="]}],
      "tools": [{"type": "function", "function": {"name": "look", "description": "d",
                 "parameters": {"type": "object"}}}],
      "options": {"temperature": 0.5, "top_p": 0.9, "top_k": 20, "min_p": 0.1, "seed": 42,
                  "num_predict": 100, "stop": ["\n", "user:"], "repeat_penalty": 1.2,
                  "presence_penalty": 1.5, "frequency_penalty": 1.0}})")
                           .value();

  EXPECT_EQ(request.keep_alive, std::chrono::minutes(90));
  EXPECT_FALSE(request.load_only);
  const chat::ChatRequest& chat = request.chat;
  EXPECT_EQ(chat.model(), "llama3.2:3b");
  EXPECT_TRUE(chat.stream);
  EXPECT_EQ(chat.original()->protocol, chat::Protocol::kOllama);
  EXPECT_EQ(chat.original()->body.at("model"), "llama3.2:3b");
  EXPECT_EQ(chat.response_format(), chat::ResponseFormat::kJsonObject);
  EXPECT_EQ(chat.reasoning_effort(), "medium");
  EXPECT_TRUE(chat.logprobs);
  EXPECT_EQ(chat.top_logprobs(), 3);
  ASSERT_EQ(chat.messages().size(), 2U);
  EXPECT_EQ(chat.messages()[0], chat::text_message(chat::Role::kSystem, "Be short."));
  EXPECT_THAT(chat.messages()[1].parts,
              ElementsAre(chat::Part(chat::Image{"data:image/png;base64,iVBORw0KGgo="}),
                          chat::Part(chat::Text{"What is this?"})));
  ASSERT_EQ(chat.tools().size(), 1U);
  EXPECT_EQ(chat.tools()[0].name, "look");
  const chat::Sampling expected{.temperature = 0.5,
                                .top_p = 0.9,
                                .max_tokens = 100,
                                .seed = 42,
                                .stop = {"\n", "user:"},
                                .presence_penalty = 1.5,
                                .frequency_penalty = 1.0,
                                .min_p = 0.1,
                                .repeat_penalty = 1.2,
                                .top_k = 20};
  EXPECT_EQ(chat.sampling(), expected);
  EXPECT_THAT(chat.emulated, IsEmpty());
}

TEST(OllamaRequest, EveryWrongFieldIsNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"messages":[]})", "model"},
      {R"({"model":"","messages":[]})", "model"},
      {R"({"model":7,"messages":[]})", "model"},
      {R"({"model":"m","messages":{}})", "messages"},
      {saying("3"), "messages[0]"},
      {saying(R"({"content":"x"})"), "messages[0].role"},
      {saying(R"({"role":"king","content":"x"})"), "messages[0].role"},
      {saying(R"({"role":"user","content":5})"), "messages[0].content"},
      {saying(R"({"role":"user","content":"x"},{"role":"user","content":["x"]})"),
       "messages[1].content"},
      {saying(R"({"role":"user","images":"x"})"), "messages[0].images"},
      {saying(R"({"role":"user","images":[5]})"), "messages[0].images[0]"},
      {saying(R"({"role":"user","images":["iVBORw0KGgo=","http://x"]})"), "messages[0].images[1]"},
      {saying(R"({"role":"user","images":["iVBORw0KGgo"]})"), "messages[0].images[0]"},
      {saying(R"({"role":"system","content":"","images":["iVBORw0KGgo="]})"), "messages[0].images"},
      {saying(R"({"role":"tool"})"), "messages[0].content"},
      {saying(R"({"role":"tool","content":"x"})"), "messages[0].role"},
      {saying(R"({"role":"tool","content":"x","tool_name":"f"})"), "messages[0].tool_name"},
      {saying(R"({"role":"user","content":"x","tool_calls":[{}]})"), "messages[0].tool_calls"},
      {saying(R"({"role":"assistant","tool_calls":[5]})"), "messages[0].tool_calls[0]"},
      {saying(R"({"role":"assistant","tool_calls":[{}]})"), "messages[0].tool_calls[0].function"},
      {saying(R"({"role":"assistant","tool_calls":[{"function":{}}]})"),
       "messages[0].tool_calls[0].function.name"},
      {saying(R"({"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]})"),
       "messages[0].tool_calls[0].function.arguments"},
      {with(R"("stream":1)"), "stream"},
      {with(R"("format":"xml")"), "format"},
      {with(R"("format":5)"), "format"},
      {with(R"("think":"hard")"), "think"},
      {with(R"("think":1)"), "think"},
      {with(R"("top_logprobs":21)"), "top_logprobs"},
      {with(R"("tools":{})"), "tools"},
      {with(R"("tools":[1])"), "tools[0]"},
      {with(R"("tools":[{"type":"custom"}])"), "tools[0].custom"},
      {with(R"("tools":[{"function":{"name":"f","parameters":1}}])"),
       "tools[0].function.parameters"},
      {with(R"("options":[])"), "options"},
      {with(R"("options":{"a b":1})"), "options"},
      {with("\"options\":{\"x\\r\\ny\":1}"), "options"},
      {with(R"("options":{"temperature":"hot"})"), "options.temperature"},
      {with(R"("options":{"top_p":1.1})"), "options.top_p"},
      {with(R"("options":{"top_k":0.5})"), "options.top_k"},
      {with(R"("options":{"num_predict":-3})"), "options.num_predict"},
      {with(R"("options":{"stop":5})"), "options.stop"},
      {with(R"("options":{"stop":["a",5]})"), "options.stop"},
      {with(R"("keep_alive":"soon")"), "keep_alive"},
      {with(R"("keep_alive":true)"), "keep_alive"},
  };
  for (const auto& [body, field] : cases) {
    const auto request = ollama::parse_chat_request(body);
    ASSERT_FALSE(request.has_value()) << body;
    EXPECT_EQ(request.error().code, ErrorCode::kInvalidArgument) << body;
    EXPECT_EQ(request.error().field, field) << body;
  }
}

TEST(OllamaRequest, IsBounded) {
  const std::string message = R"({"role":"user","content":"x"})";
  const auto images = [](std::size_t n) {
    return saying(R"({"role":"user","images":[)" + repeated(R"("/9j/")", n) + "]}");
  };
  const auto calls = [](std::size_t n) {
    return saying(R"({"role":"assistant","tool_calls":[)" +
                  repeated(R"({"function":{"name":"f"}})", n) + "]}");
  };
  const auto tools = [](std::size_t n) {
    return with(R"("tools":[)" + repeated(R"({"function":{"name":"f"}})", n) + "]");
  };
  const auto options = [](std::size_t n) {
    std::string list;
    for (std::size_t i = 0; i < n; ++i) {
      list += (i == 0 ? "\"o" : ",\"o") + std::to_string(i) + "\":1";
    }
    return with(R"("options":{)" + list + "}");
  };

  EXPECT_TRUE(ollama::parse_chat_request(saying(repeated(message, kMaxMessages))));
  EXPECT_FALSE(ollama::parse_chat_request(saying(repeated(message, kMaxMessages + 1))));
  EXPECT_TRUE(ollama::parse_chat_request(images(kMaxParts)));
  EXPECT_FALSE(ollama::parse_chat_request(images(kMaxParts + 1)));
  EXPECT_TRUE(ollama::parse_chat_request(calls(kMaxParts)));
  EXPECT_FALSE(ollama::parse_chat_request(calls(kMaxParts + 1)));
  EXPECT_TRUE(ollama::parse_chat_request(tools(kMaxTools)));
  EXPECT_FALSE(ollama::parse_chat_request(tools(kMaxTools + 1)));
  EXPECT_TRUE(ollama::parse_chat_request(options(64)));
  EXPECT_FALSE(ollama::parse_chat_request(options(65)));
  EXPECT_FALSE(ollama::parse_chat_request(R"({"model":")" + std::string(257, 'm') + "\"}"));
}

TEST(OllamaRequest, DeepJsonAndBadUtf8AreErrorsNotCrashes) {
  const std::string deep = with(R"("x":)" + std::string(10'000, '[') + std::string(10'000, ']'));

  EXPECT_THAT(ollama::parse_chat_request(deep).error().message, HasSubstr("nested deeper"));
  EXPECT_FALSE(ollama::parse_chat_request(saying("{\"role\":\"user\",\"content\":\"\xff\"}")));
  EXPECT_FALSE(ollama::parse_generate_request("{\"model\":\"m\",\"prompt\":\"\xc3\"}"));
  EXPECT_FALSE(ollama::parse_chat_request(""));
  EXPECT_FALSE(ollama::parse_chat_request("[]"));
}

TEST(OllamaRequest, ToolCallsGetIdsAndTheirResultsFindThem) {
  const auto request = ollama::parse_chat_request(saying(R"(
      {"role":"user","content":"weather?"},
      {"role":"assistant","content":"","tool_calls":[
        {"function":{"name":"weather","arguments":{"city":"Rome"}}},
        {"function":{"name":"weather","arguments":{"city":"Oslo"}}},
        {"function":{"name":"time"}}]},
      {"role":"tool","tool_name":"time","content":"noon"},
      {"role":"tool","tool_name":"weather","content":"sun"},
      {"role":"tool","content":"snow"},
      {"role":"assistant","tool_calls":[{"id":"own","function":{"name":"time"}},
                                        {"function":{"name":"time"}}]},
      {"role":"tool","tool_call_id":"own","content":"one"},
      {"role":"tool","tool_name":"time","content":"two"})"))
                           .value()
                           .chat;

  EXPECT_THAT(request.messages()[1].parts,
              ElementsAre(chat::Part(chat::ToolCall{"call_0", "weather", R"({"city":"Rome"})"}),
                          chat::Part(chat::ToolCall{"call_1", "weather", R"({"city":"Oslo"})"}),
                          chat::Part(chat::ToolCall{"call_2", "time", "{}"})));
  EXPECT_EQ(request.messages()[2].parts[0], chat::Part(chat::ToolResult{"call_2", "noon"}));
  EXPECT_EQ(request.messages()[3].parts[0], chat::Part(chat::ToolResult{"call_0", "sun"}));
  EXPECT_EQ(request.messages()[4].parts[0], chat::Part(chat::ToolResult{"call_1", "snow"}));
  EXPECT_EQ(request.messages()[6].parts[0], chat::Part(chat::ToolResult{"own", "one"}));
  EXPECT_EQ(request.messages()[7].parts[0], chat::Part(chat::ToolResult{"call_4", "two"}));
}

TEST(OllamaRequest, ReadsAsOpenAisOnTheWayToABackend) {
  const auto request = ollama::parse_chat_request(saying(R"(
      {"role":"user","content":"see","images":["/9j/AAAA"]},
      {"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]},
      {"role":"tool","tool_name":"f","content":"r"})"))
                           .value()
                           .chat;

  const auto sent =
      openai::parse_chat_request(openai::write_chat_request(request, "backend", true)).value();

  EXPECT_EQ(sent.messages(), request.messages());
  EXPECT_EQ(sent.model(), "backend");
}

TEST(OllamaRequest, OptionsOfTheEngineAreNotDroppedInSilence) {
  const auto request =
      ollama::parse_chat_request(
          with(R"("options":{"num_ctx":4096,"mirostat":1,"num_gpu":null,"seed":1})"))
          .value()
          .chat;

  EXPECT_THAT(request.emulated, ElementsAre("options.num_ctx left to the engine",
                                            "options.mirostat left to the engine"));
}

TEST(OllamaRequest, TheDocumentationsExampleWithEveryOptionIsRead) {
  const auto request = ollama::parse_generate_request(R"({
      "model": "llama3.2", "prompt": "Why is the sky blue?", "stream": false,
      "options": {
        "num_keep": 5, "seed": 42, "num_predict": 100, "top_k": 20, "top_p": 0.9, "min_p": 0.0,
        "typical_p": 0.7, "repeat_last_n": 33, "temperature": 0.8, "repeat_penalty": 1.2,
        "presence_penalty": 1.5, "frequency_penalty": 1.0, "mirostat": 1, "mirostat_tau": 0.8,
        "mirostat_eta": 0.6, "penalize_newline": true, "stop": ["\n", "user:"], "numa": false,
        "num_ctx": 1024, "num_batch": 2, "num_gpu": 1, "main_gpu": 0, "low_vram": false,
        "vocab_only": false, "use_mmap": true, "use_mlock": false, "num_thread": 8}})");

  ASSERT_TRUE(request.has_value());
  EXPECT_EQ(request->chat.sampling().temperature, 0.8);
  EXPECT_EQ(request->chat.sampling().max_tokens, 100);
  EXPECT_EQ(request->chat.emulated.size(), 17U) << "27 options less the 10 of a request";
}

TEST(OllamaRequest, WhatMeansNoLimitOrAnyIsUnset) {
  for (const char* options : {R"({"num_predict":-1})", R"({"num_predict":-2})", R"({"seed":-1})"}) {
    const auto request =
        ollama::parse_chat_request(with(R"("options":)" + std::string(options))).value();
    EXPECT_EQ(request.chat.sampling(), chat::Sampling{}) << options;
  }
}

TEST(OllamaRequest, ASchemaIsAFormat) {
  const auto request =
      ollama::parse_chat_request(with(R"("format":{"type":"object"},"stream":false)")).value().chat;

  EXPECT_FALSE(request.stream);
  EXPECT_EQ(request.response_format(), chat::ResponseFormat::kJsonSchema);
  EXPECT_EQ(request.json_schema().at("schema"), json::value({{"type", "object"}}));
  EXPECT_EQ(ollama::parse_chat_request(with(R"("format":"")"))->chat.response_format(),
            chat::ResponseFormat::kText);
}

TEST(OllamaRequest, ThinkIsAnEffort) {
  const std::pair<const char*, const char*> cases[] = {
      {"false", "none"}, {"true", "medium"}, {"\"high\"", "high"}, {"null", ""}};
  for (const auto& [think, effort] : cases) {
    const auto request =
        ollama::parse_chat_request(with(R"("think":)" + std::string(think))).value();
    EXPECT_EQ(request.chat.reasoning_effort(), effort) << think;
  }
}

TEST(OllamaRequest, KeepAliveIsSecondsOrAGoDuration) {
  const std::pair<const char*, std::int64_t> cases[] = {
      {"300", 300},         {"0", 0},
      {"-1", -1},           {"0.5", 1},
      {"1e300", -1},        {R"("5m")", 300},
      {R"("-1")", -1},      {R"("-1s")", -1},
      {R"("1h30m")", 5400}, {R"("1.5h")", 5400},
      {R"("500ms")", 1},    {R"("0")", 0},
      {R"("30")", 30},      {R"("999999999h")", -1}};
  for (const auto& [keep_alive, seconds] : cases) {
    const auto request =
        ollama::parse_chat_request(with(R"("keep_alive":)" + std::string(keep_alive)));
    ASSERT_TRUE(request.has_value()) << keep_alive;
    EXPECT_EQ(request->keep_alive, std::chrono::seconds(seconds)) << keep_alive;
  }
  EXPECT_EQ(ollama::parse_chat_request(with(R"("stream":true)"))->keep_alive, std::nullopt);
  for (const std::string bad :
       {"", "-", "m", "5x", "1..5s", "1m5", "1h-5m", "inf", "nan", "0x5s"}) {
    EXPECT_FALSE(ollama::parse_chat_request(with(R"("keep_alive":")" + bad + "\""))) << bad;
  }
  EXPECT_FALSE(
      ollama::parse_chat_request(with(R"("keep_alive":")" + std::string(1000, '9') + "\"")));
}

TEST(OllamaRequest, NothingSaidMeansLoad) {
  EXPECT_TRUE(ollama::parse_chat_request(R"({"model":"m"})")->load_only);
  EXPECT_TRUE(ollama::parse_chat_request(R"({"model":"m","messages":[]})")->load_only);
  EXPECT_TRUE(ollama::parse_generate_request(R"({"model":"m"})")->load_only);
  EXPECT_TRUE(ollama::parse_generate_request(R"({"model":"m","prompt":""})")->load_only);
}

TEST(OllamaGenerate, APromptIsAMessage) {
  const auto request = ollama::parse_generate_request(generating(
      R"("system":"s","images":["R0lGODlh"],"raw":false,"suffix":"","template":"","context":[])"));

  ASSERT_TRUE(request.has_value());
  EXPECT_TRUE(request->chat.stream);
  ASSERT_EQ(request->chat.messages().size(), 2U);
  EXPECT_EQ(request->chat.messages()[0], chat::text_message(chat::Role::kSystem, "s"));
  EXPECT_THAT(request->chat.messages()[1].parts,
              ElementsAre(chat::Part(chat::Image{"data:image/gif;base64,R0lGODlh"}),
                          chat::Part(chat::Text{"x"})));
}

TEST(OllamaGenerate, WhatNoBackendCanDoIsSaidSo) {
  const std::pair<const char*, const char*> cases[] = {{R"("raw":true)", "raw"},
                                                       {R"("suffix":"x")", "suffix"},
                                                       {R"("template":"x")", "template"},
                                                       {R"("context":[1])", "context"}};
  for (const auto& [fields, field] : cases) {
    const auto request = ollama::parse_generate_request(generating(fields));
    ASSERT_FALSE(request.has_value()) << fields;
    EXPECT_EQ(request.error().code, ErrorCode::kUnsupported) << fields;
    EXPECT_EQ(request.error().field, field);
    EXPECT_FALSE(request.error().hint.empty());
  }
}

TEST(OllamaGenerate, EveryWrongFieldIsNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"prompt":"x"})", "model"},
      {R"({"model":"m","prompt":5})", "prompt"},
      {generating(R"("system":5)"), "system"},
      {generating(R"("raw":"yes")"), "raw"},
      {generating(R"("suffix":5)"), "suffix"},
      {generating(R"("context":"x")"), "context"},
      {generating(R"("images":["x"])"), "images[0]"},
      {generating(R"("options":{"min_p":2})"), "options.min_p"},
  };
  for (const auto& [body, field] : cases) {
    const auto request = ollama::parse_generate_request(body);
    ASSERT_FALSE(request.has_value()) << body;
    EXPECT_EQ(request.error().code, ErrorCode::kInvalidArgument) << body;
    EXPECT_EQ(request.error().field, field) << body;
  }
}

}  // namespace
}  // namespace minimill::protocol
