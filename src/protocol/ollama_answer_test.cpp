#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/json.h"
#include "protocol/ollama.h"

namespace minimill::protocol {
namespace {

using ollama::Durations;
using ollama::Shape;

constexpr WallTime kNow{Millis{1'763'676'245'123}};
const Durations kDurations{.total = std::chrono::nanoseconds(5),
                           .load = std::chrono::nanoseconds(1),
                           .prompt_eval = std::chrono::nanoseconds(2),
                           .eval = std::chrono::nanoseconds(3)};

std::vector<json::object> lines_of(const std::vector<chat::ChatEvent>& events, Shape shape) {
  ollama::StreamWriter writer(shape, "m:1b");
  std::string out;
  for (const chat::ChatEvent& event : events) writer.write(event, kNow, out);
  writer.finish(kNow, kDurations, out);
  std::vector<json::object> lines;
  for (std::string_view rest = out; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    EXPECT_NE(end, std::string_view::npos) << "a line without an end";
    lines.push_back(parse_json_object(rest.substr(0, end)).value());
    rest.remove_prefix(end + 1);
  }
  return lines;
}

json::object parsed(std::string_view text) { return parse_json_object(text).value(); }

TEST(OllamaStream, IsAsOllamaWritesIt) {
  const auto lines =
      lines_of({chat::ReasoningDelta{"hm"}, chat::TextDelta{"Gr\u00fc\u00df \"x\"\n"},
                chat::Finish{chat::FinishReason::kLength}, chat::UsageReport{{9, 4, 3}}},
               Shape::kChat);

  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], parsed(R"({"model":"m:1b","created_at":"2025-11-20T22:04:05.123Z",
      "message":{"role":"assistant","content":"","thinking":"hm"},"done":false})"));
  EXPECT_EQ(lines[1], parsed(R"({"model":"m:1b","created_at":"2025-11-20T22:04:05.123Z",
      "message":{"role":"assistant","content":"Grüß \"x\"\n"},"done":false})"));
  EXPECT_EQ(lines[2], parsed(R"({"model":"m:1b","created_at":"2025-11-20T22:04:05.123Z",
      "message":{"role":"assistant","content":""},"done":true,"done_reason":"length",
      "total_duration":5,"load_duration":1,"prompt_eval_count":9,"prompt_eval_duration":2,
      "eval_count":4,"eval_duration":3})"));
}

TEST(OllamaStream, OfGenerateHasResponses) {
  const auto lines = lines_of({chat::ReasoningDelta{"hm"}, chat::TextDelta{"yes"}, chat::Finish{}},
                              Shape::kGenerate);

  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0], parsed(R"({"model":"m:1b","created_at":"2025-11-20T22:04:05.123Z",
      "response":"","thinking":"hm","done":false})"));
  EXPECT_EQ(lines[1].at("response"), "yes");
  EXPECT_EQ(lines[2].at("response"), "");
  EXPECT_EQ(lines[2].at("done_reason"), "stop");
}

TEST(OllamaStream, ToolCallsAreSentWholeBeforeTheLastLine) {
  const auto lines =
      lines_of({chat::ToolCallDelta{.index = 0, .id = "a", .name = "look", .arguments = R"({"q":)"},
                chat::ToolCallDelta{.index = 2, .id = "", .name = "raw", .arguments = "not json"},
                chat::ToolCallDelta{.index = 0, .id = "", .name = "", .arguments = "1}"},
                chat::Finish{chat::FinishReason::kToolCalls}, chat::Frame{"data: x\n\n"}},
               Shape::kChat);

  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].at("message"), parsed(R"({"role":"assistant","content":"","tool_calls":[
      {"id":"a","function":{"index":0,"name":"look","arguments":{"q":1}}},
      {"function":{"index":1,"name":"raw","arguments":{"arguments":"not json"}}}]})"));
  EXPECT_EQ(lines[0].at("done"), false);
  EXPECT_EQ(lines[1].at("done_reason"), "stop");
  EXPECT_FALSE(lines[1].at("message").as_object().contains("tool_calls"));
}

TEST(OllamaStream, LogprobsComeWithTheirText) {
  const auto lines = lines_of(
      {chat::TextDelta{"a", {{"a", -0.5, {{"a", -0.5, {}}, {"b", -1, {}}}}}}}, Shape::kChat);

  EXPECT_EQ(lines[0].at("logprobs"), parse_json(R"([{"token":"a","logprob":-0.5,"top_logprobs":[
      {"token":"a","logprob":-0.5},{"token":"b","logprob":-1.0}]}])")
                                         .value());
  EXPECT_FALSE(lines[1].contains("logprobs"));
}

TEST(OllamaAnswer, HasAllInOne) {
  const chat::AnswerParts parts{.model = "m",
                                .text = "yes",
                                .reasoning = "hm",
                                .tool_calls = {{"c", "f", R"({"a":1})"}},
                                .logprobs = {{"yes", -1, {}}},
                                .finish = chat::FinishReason::kStop,
                                .usage = {7, 2, 0}};
  const chat::ChatAnswer answer(parts);

  const auto chat = parsed(ollama::write_answer(answer, Shape::kChat, kNow, kDurations));
  const auto generate = parsed(ollama::write_answer(answer, Shape::kGenerate, kNow, kDurations));

  EXPECT_EQ(chat, parsed(R"({"model":"m","created_at":"2025-11-20T22:04:05.123Z",
      "message":{"role":"assistant","content":"yes","thinking":"hm","tool_calls":[
        {"id":"c","function":{"index":0,"name":"f","arguments":{"a":1}}}]},
      "done":true,"done_reason":"stop","total_duration":5,"load_duration":1,
      "prompt_eval_count":7,"prompt_eval_duration":2,"eval_count":2,"eval_duration":3,
      "logprobs":[{"token":"yes","logprob":-1.0}]})"));
  EXPECT_EQ(generate.at("response"), "yes");
  EXPECT_EQ(generate.at("thinking"), "hm");
  EXPECT_EQ(generate.at("eval_count"), 2);
  EXPECT_FALSE(generate.contains("message"));
}

TEST(OllamaAnswer, ToALoadSaysWhatWasDone) {
  EXPECT_EQ(parsed(ollama::write_loaded(Shape::kGenerate, "m", kNow, false)),
            parsed(R"({"model":"m","created_at":"2025-11-20T22:04:05.123Z","response":"",
                       "done":true,"done_reason":"load"})"));
  EXPECT_EQ(parsed(ollama::write_loaded(Shape::kChat, "m", kNow, true)).at("done_reason"),
            "unload");
}

TEST(OllamaError, IsJsonWhateverItSays) {
  const Error error{.code = ErrorCode::kNotFound,
                    .message = "no model '\xff\"'",
                    .hint = "pull it",
                    .field = {},
                    .retry_after = {}};

  EXPECT_EQ(parsed(ollama::write_error(error)).at("error"), "no model '?\"' (pull it)");
  EXPECT_EQ(ollama::write_stream_error(error), ollama::write_error(error) + "\n");
}

}  // namespace
}  // namespace minimill::protocol
