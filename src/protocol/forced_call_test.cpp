#include "protocol/forced_call.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "protocol/openai.h"

namespace minimill::protocol {
namespace {

constexpr std::string_view kBody =
    R"({"model": "m", "messages": [{"role": "user", "content": "x"}], "tool_choice": "required",
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object",
                     "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {"type": "integer"}}}}},
                  {"type": "function", "function": {"name": "g", "parameters": {}}}]})";

TEST(ForcedCall, IsAskedForAsJsonOfAnyOfTheTools) {
  const chat::ChatRequest request = openai::parse_chat_request(kBody).value();
  ASSERT_TRUE(demands_call(request));

  const json::object sent =
      json::parse(openai::write_chat_request(request, "m", false, Target::kLlamaServer))
          .as_object();

  EXPECT_EQ(sent.at("tool_choice"), "none");
  const json::value& schema = sent.at("response_format").at("json_schema").at("schema");
  EXPECT_EQ(schema.at("anyOf").as_array().size(), 2U);
  EXPECT_EQ(schema.at("$defs").at("A").at("type"), "integer");
  EXPECT_EQ(schema.at("anyOf").at(0).at("properties").at("name").at("enum").at(0), "f");
  EXPECT_FALSE(
      schema.at("anyOf").at(0).at("properties").at("arguments").as_object().contains("$defs"));
  EXPECT_EQ(sent.at("tools").as_array().size(), 2U);
}

TEST(ForcedCall, NamedToolIsTheOnlyChoice) {
  chat::ChatRequest request = openai::parse_chat_request(kBody).value();
  request.edit([](chat::RequestParts& parts) {
    parts.tool_choice = chat::ToolChoice::kNamed;
    parts.tool_name = "g";
  });

  const chat::ChatRequest asked = call_as_json(request);

  EXPECT_EQ(asked.json_schema().at("schema").at("properties").at("name").at("enum").at(0), "g");
}

TEST(ForcedCall, OnlyADemandMakesOne) {
  chat::ChatRequest request = openai::parse_chat_request(kBody).value();
  request.edit([](chat::RequestParts& parts) { parts.tool_choice = chat::ToolChoice::kAuto; });
  EXPECT_FALSE(demands_call(request));
}

TEST(ForcedCall, AnswerIsReadAsTheCall) {
  chat::AnswerParts parts;
  parts.text = R"({"name": "f", "arguments": {"a": 1}})";
  chat::ChatAnswer answer(std::move(parts), {.protocol = chat::Protocol::kOpenAi, .body = "{}"});

  take_call(answer);

  ASSERT_EQ(answer.tool_calls().size(), 1U);
  EXPECT_EQ(answer.tool_calls()[0].name, "f");
  EXPECT_EQ(answer.tool_calls()[0].arguments, R"({"a":1})");
  EXPECT_FALSE(answer.tool_calls()[0].id.empty());
  EXPECT_EQ(answer.finish(), chat::FinishReason::kToolCalls);
  EXPECT_TRUE(answer.text().empty());
  EXPECT_EQ(answer.untouched(), nullptr);
}

TEST(ForcedCall, AnswerThatIsNoneStaysWhatItIs) {
  for (const char* text :
       {"", "sorry", R"({"name": "f", "argum)", R"({"name": 1, "arguments": {}})"}) {
    chat::AnswerParts parts;
    parts.text = text;
    parts.finish = chat::FinishReason::kLength;
    chat::ChatAnswer answer(std::move(parts));
    take_call(answer);
    EXPECT_TRUE(answer.tool_calls().empty());
    EXPECT_EQ(answer.text(), text);
    EXPECT_EQ(answer.finish(), chat::FinishReason::kLength);
  }
}

}  // namespace
}  // namespace minimill::protocol
