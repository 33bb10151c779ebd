#include <gtest/gtest.h>

#include <numeric>

#include "base/json.h"
#include "check/json_schema.h"
#include "simcloud/embedding.h"
#include "simcloud/named_time.h"
#include "simcloud/sample_json.h"
#include "simcloud/tool_calls.h"

namespace minimill::simcloud {
namespace {

chat::ChatRequest asking(std::string text) {
  chat::RequestParts parts;
  parts.messages.push_back(chat::text_message(chat::Role::kUser, std::move(text)));
  for (const char* name : {"get_time", "get_weather"}) {
    parts.tools.push_back({.name = name, .description = {}, .parameters = {{"type", "object"}}});
  }
  return chat::ChatRequest(std::move(parts));
}

std::vector<std::string> names(const std::vector<chat::ToolCall>& calls) {
  std::vector<std::string> out;
  for (const chat::ToolCall& call : calls) out.push_back(call.name);
  return out;
}

void answer_tools(chat::ChatRequest& request, const std::vector<chat::ToolCall>& calls) {
  chat::Message said{.role = chat::Role::kAssistant, .parts = {}};
  for (const chat::ToolCall& call : calls) said.parts.emplace_back(call);
  request.edit([&said, &calls](chat::RequestParts& parts) {
    parts.messages.push_back(std::move(said));
    for (const chat::ToolCall& call : calls) {
      const chat::ToolResult result{call.id, call.name + " said so"};
      parts.messages.push_back({.role = chat::Role::kTool, .parts = {result}});
    }
  });
}

TEST(SimulatedToolCalls, ComeOneATurnInTheOrderTheyAreNamed) {
  chat::ChatRequest request = asking("Use get_weather, then get time.");

  std::vector<chat::ToolCall> calls = calls_for(request);
  EXPECT_EQ(names(calls), std::vector<std::string>{"get_weather"});
  answer_tools(request, calls);
  calls = calls_for(request);
  EXPECT_EQ(names(calls), std::vector<std::string>{"get_time"});
  answer_tools(request, calls);

  EXPECT_TRUE(calls_for(request).empty());
  EXPECT_EQ(what_tools_said(request), "get_weather said so; get_time said so");
}

TEST(SimulatedToolCalls, TakeTheArgumentsThatThePromptGives) {
  const std::string city = R"({"city": "Oslo {N}"})";
  chat::ChatRequest request = asking("By get_time or so: get_weather " + city + ", then say it.");

  const std::vector<chat::ToolCall> calls = calls_for(request);

  ASSERT_EQ(names(calls), std::vector<std::string>{"get_weather"});
  EXPECT_EQ(calls.front().arguments, city);
}

TEST(SimulatedToolCalls, GoOnWhereAnAppPutsWordsOfItsOwnBetween) {
  chat::ChatRequest request = asking(R"(get_weather {"a":1} get_time {"b":2})");
  answer_tools(request, calls_for(request));
  request.edit([](chat::RequestParts& parts) {
    parts.messages.push_back({.role = chat::Role::kUser, .parts = {chat::Text{"A reminder."}}});
  });

  const std::vector<chat::ToolCall> calls = calls_for(request);

  EXPECT_EQ(names(calls), std::vector<std::string>{"get_time"});
}

TEST(SimulatedToolCalls, AreKnownAsMadeWhereAnAppWritesThemAsText) {
  chat::ChatRequest request = asking(R"(get_weather {"a":1} get_time {"b":2})");
  request.edit([](chat::RequestParts& parts) {
    const chat::Text said{"Calling tools: [{'name': 'get_weather'}]"};
    parts.messages.push_back({.role = chat::Role::kAssistant, .parts = {said}});
  });

  EXPECT_EQ(names(calls_for(request)), std::vector<std::string>{"get_time"});
}

TEST(SimulatedToolCalls, ComeTogetherWhereThatIsAskedForAndAllowed) {
  chat::ChatRequest request = asking("In parallel: get_weather and get_time.");
  EXPECT_EQ(calls_for(request).size(), 2U);
  request.edit([](chat::RequestParts& parts) { parts.parallel_tool_calls = false; });
  EXPECT_EQ(calls_for(request).size(), 1U);
}

TEST(SimulatedToolCalls, AreAsTheAppInsists) {
  chat::ChatRequest request = asking("hello");
  EXPECT_TRUE(calls_for(request).empty());
  request.edit([](chat::RequestParts& parts) { parts.tool_choice = chat::ToolChoice::kRequired; });
  EXPECT_EQ(names(calls_for(request)), std::vector<std::string>{"get_time"});
  request.edit([](chat::RequestParts& parts) { parts.tool_choice = chat::ToolChoice::kNamed; });
  request.edit([](chat::RequestParts& parts) { parts.tool_name = "get_weather"; });
  EXPECT_EQ(names(calls_for(request)), std::vector<std::string>{"get_weather"});
  request.edit([](chat::RequestParts& parts) { parts.tool_choice = chat::ToolChoice::kNone; });
  EXPECT_TRUE(calls_for(request).empty());
}

TEST(SampleJson, FitsItsSchema) {
  for (
      const char* text : {
          R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": ["string", "null"]}},
               "required": ["a"], "additionalProperties": false})",
          R"({"$ref": "#/$defs/X", "$defs": {"X": {"type": "array", "items": {"enum": ["q"]}, "minItems": 2}}})",
          R"({"anyOf": [{"const": 5}, {"type": "null"}]})",
          R"({"type": "object", "properties": {"next": {"$ref": "#"}, "n": {"type": "boolean"}}})",
          R"({"type": "string", "minLength": 20, "maxLength": 22})"}) {
    const boost::json::object schema = parse_json_object(text).value();
    const auto checked = check::JsonSchema::parse(schema);
    ASSERT_TRUE(checked.has_value()) << checked.error().to_string();
    const boost::json::value sample = sample_of(schema);
    const Result<> fits = checked->validate(sample);
    EXPECT_TRUE(fits.has_value()) << text << ": " << boost::json::serialize(sample) << ": "
                                  << (fits ? "" : fits.error().message);
  }
}

TEST(SimulatedEmbedding, IsOfUnitLengthAndNearForSimilarTexts) {
  protocol::EmbeddingRequest request;
  request.model = "sim-large";
  request.texts = {"the invoice of the carrier", "the invoices of the carrier",
                   "a haiku about steel"};

  const protocol::EmbeddingAnswer answer = embed(request);

  ASSERT_EQ(answer.vectors.size(), 3U);
  const auto dot = [&](std::size_t a, std::size_t b) {
    return std::inner_product(answer.vectors[a].begin(), answer.vectors[a].end(),
                              answer.vectors[b].begin(), 0.0);
  };
  EXPECT_NEAR(dot(0, 0), 1, 1e-5);
  EXPECT_GT(dot(0, 1), dot(0, 2) + 0.3);
  EXPECT_EQ(embed(request), answer);
}

TEST(NamedTime, IsReadWhereItIsOneAndOnlyThere) {
  using std::chrono::milliseconds;
  constexpr std::string_view kPrompt = "Sort it (device takes 0.05 s, cloud takes 1.5 s)";

  EXPECT_EQ(named_time("device", kPrompt), milliseconds{50});
  EXPECT_EQ(named_time("cloud", kPrompt), milliseconds{1500});
  EXPECT_FALSE(named_time("", kPrompt));
  EXPECT_FALSE(named_time("other", kPrompt));
  EXPECT_FALSE(named_time("cloud", "cloud takes for ever"));
  EXPECT_FALSE(named_time("cloud", "cloud takes -1 s"));
  EXPECT_FALSE(named_time("cloud", "cloud takes 1e300 s"));
}

}  // namespace
}  // namespace minimill::simcloud
