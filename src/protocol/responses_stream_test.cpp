#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "protocol/answer_fields.h"
#include "protocol/responses.h"

namespace minimill::protocol::responses {
namespace {

using chat::ChatEvent;
using ::testing::ElementsAre;

ResponseHead head() {
  return {.id = "resp_1",
          .model = "m",
          .created_s = 7,
          .echo = parse_responses_request(R"({"model":"auto","input":"x"})")->echo};
}

/// The data of each frame, whose event must be its type and whose number must be its place.
std::vector<json::object> frames_in(std::string_view text) {
  std::vector<json::object> frames;
  while (!text.empty()) {
    const std::size_t end = text.find("\n\n");
    const std::string_view frame = text.substr(0, end);
    text.remove_prefix(end + 2);
    const std::size_t line = frame.find('\n');
    EXPECT_TRUE(frame.starts_with("event: ")) << frame;
    EXPECT_EQ(frame.substr(line + 1, 6), "data: ") << frame;
    frames.push_back(parse_json_object(frame.substr(line + 7)).value());
    EXPECT_EQ(frame.substr(7, line - 7), text_in(frames.back(), "type"));
    EXPECT_EQ(frames.back().at("sequence_number"), frames.size() - 1);
  }
  return frames;
}

std::vector<std::string> types_of(const std::vector<json::object>& frames) {
  std::vector<std::string> types;
  for (const json::object& frame : frames) {
    std::string type(text_in(frame, "type"));
    const std::size_t prefix = std::string_view("response.").size();
    types.push_back(type.starts_with("response.") ? type.substr(prefix) : type);
  }
  return types;
}

std::string stream_of(const std::vector<ChatEvent>& events) {
  ResponseStreamWriter writer(head());
  std::string out;
  for (const ChatEvent& event : events) writer.write(event, out);
  writer.finish(out);
  return out;
}

/// What the official clients do with the frames: items grow at their output_index by the deltas.
json::array replayed(const std::vector<json::object>& frames) {
  json::array output;
  for (const json::object& frame : frames) {
    const std::string_view type = text_in(frame, "type");
    if (!frame.contains("output_index")) continue;
    const auto index = frame.at("output_index").to_number<std::size_t>();
    if (type == "response.output_item.added") {
      EXPECT_EQ(index, output.size());
      output.push_back(frame.at("item"));
      continue;
    }
    json::object& item = output.at(index).get_object();
    if (type == "response.output_item.done") {
      EXPECT_EQ(item.at("status"), "in_progress");
      item["status"] = frame.at("item").at("status");
      EXPECT_EQ(json::value(item), frame.at("item"));
      continue;
    }
    EXPECT_EQ(item.at("id"), frame.at("item_id"));
    if (type == "response.content_part.added") {
      item.at("content").get_array().push_back(frame.at("part"));
    } else if (type == "response.reasoning_summary_part.added") {
      item.at("summary").get_array().push_back(frame.at("part"));
    } else if (type == "response.output_text.delta") {
      item.at("content").at(0).at("text").get_string() += frame.at("delta").get_string();
    } else if (type == "response.reasoning_summary_text.delta") {
      item.at("summary").at(0).at("text").get_string() += frame.at("delta").get_string();
    } else if (type == "response.function_call_arguments.delta") {
      item.at("arguments").get_string() += frame.at("delta").get_string();
    }
  }
  return output;
}

TEST(ResponsesStream, TextIsFramedAsOpenAiDoes) {
  const auto frames = frames_in(stream_of({chat::TextDelta{"h"}, chat::TextDelta{"i\n"},
                                           chat::Finish{}, chat::UsageReport{{5, 2, 3}}}));

  EXPECT_THAT(types_of(frames),
              ElementsAre("created", "in_progress", "output_item.added", "content_part.added",
                          "output_text.delta", "output_text.delta", "output_text.done",
                          "content_part.done", "output_item.done", "completed"));
  EXPECT_EQ(frames[0].at("response").at("status"), "in_progress");
  EXPECT_EQ(json::serialize(frames[2]),
            R"({"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{)"
            R"("id":"msg_1_0","type":"message","status":"in_progress","role":"assistant",)"
            R"("content":[]}})");
  EXPECT_EQ(json::serialize(frames[5]),
            R"({"type":"response.output_text.delta","sequence_number":5,"output_index":0,)"
            R"("item_id":"msg_1_0","content_index":0,"delta":"i\n","logprobs":[]})");
  EXPECT_EQ(frames[6].at("text"), "hi\n");
  EXPECT_EQ(frames[7].at("part").at("text"), "hi\n");
  EXPECT_EQ(frames[9].at("response").at("usage").at("total_tokens"), 7);
}

TEST(ResponsesStream, WholeAndStreamedAnswersEndAsTheSameResponse) {
  const std::vector<ChatEvent> events{chat::ReasoningDelta{"h"},
                                      chat::ReasoningDelta{"m"},
                                      chat::TextDelta{"hi", {{"hi", -1, {{"ho", -2, {}}}}}},
                                      chat::ToolCallDelta{0, "c1", "f", "{"},
                                      chat::ToolCallDelta{0, "", "", "}"},
                                      chat::ToolCallDelta{1, "", "g", ""},
                                      chat::Finish{chat::FinishReason::kToolCalls},
                                      chat::UsageReport{{5, 2, 3}}};
  chat::AnswerParts answer;
  for (const ChatEvent& event : events) chat::accumulate(answer, event);

  const auto frames = frames_in(stream_of(events));

  EXPECT_EQ(frames.back().at("response"),
            json::value(response_object(head(), chat::ChatAnswer(answer))));
}

TEST(ResponsesStream, ThoughtsEndWhereWordsBegin) {
  const auto frames = frames_in(
      stream_of({chat::ReasoningDelta{"hm"}, chat::TextDelta{"hi"}, chat::ReasoningDelta{"so"}}));

  EXPECT_THAT(types_of(frames),
              ElementsAre("created", "in_progress", "output_item.added",
                          "reasoning_summary_part.added", "reasoning_summary_text.delta",
                          "reasoning_summary_text.done", "reasoning_summary_part.done",
                          "output_item.done", "output_item.added", "content_part.added",
                          "output_text.delta", "output_text.done", "content_part.done",
                          "output_item.done", "output_item.added", "reasoning_summary_part.added",
                          "reasoning_summary_text.delta", "reasoning_summary_text.done",
                          "reasoning_summary_part.done", "output_item.done", "completed"));
}

TEST(ResponsesStream, CallsGrowSideBySide) {
  const auto frames = frames_in(stream_of(
      {chat::ToolCallDelta{0, "c1", "f", "{"}, chat::ToolCallDelta{1, "c2", "g", "["},
       chat::ToolCallDelta{0, "", "", "}"}, chat::ToolCallDelta{1, "", "", "]"},
       chat::ToolCallDelta{128, "c3", "h", "{}"}, chat::ToolCallDelta{-1, "c3", "h", "{}"}}));

  EXPECT_THAT(
      types_of(frames),
      ElementsAre("created", "in_progress", "output_item.added", "function_call_arguments.delta",
                  "output_item.added", "function_call_arguments.delta",
                  "function_call_arguments.delta", "function_call_arguments.delta",
                  "function_call_arguments.done", "output_item.done",
                  "function_call_arguments.done", "output_item.done", "completed"));
  EXPECT_EQ(json::serialize(frames[8]),
            R"({"type":"response.function_call_arguments.done","sequence_number":8,)"
            R"("output_index":0,"item_id":"fc_1_0","name":"f","arguments":"{}"})");
}

TEST(ResponsesStream, WhatWasCutIsIncomplete) {
  const auto frames =
      frames_in(stream_of({chat::TextDelta{"and th"}, chat::Finish{chat::FinishReason::kLength}}));

  const json::value& response = frames.back().at("response");
  EXPECT_EQ(frames.back().at("type"), "response.incomplete");
  EXPECT_EQ(response.at("status"), "incomplete");
  EXPECT_EQ(response.at("incomplete_details").at("reason"), "max_output_tokens");
  EXPECT_EQ(response.at("output").at(0).at("status"), "incomplete");
}

TEST(ResponsesStream, FailureKeepsWhatThereIs) {
  ResponseStreamWriter writer(head());
  std::string out;
  writer.write(chat::TextDelta{"par"}, out);
  writer.fail(fail(ErrorCode::kUpstream, "gone \xff").error(), out);

  const auto frames = frames_in(out);
  EXPECT_THAT(types_of(frames),
              ElementsAre("created", "in_progress", "output_item.added", "content_part.added",
                          "output_text.delta", "error", "failed"));
  EXPECT_EQ(json::serialize(frames[5]),
            R"({"type":"error","sequence_number":5,"code":"upstream","message":"gone ?",)"
            R"("param":null})");
  const json::value& response = frames[6].at("response");
  EXPECT_EQ(response.at("status"), "failed");
  EXPECT_EQ(json::serialize(response.at("error")), R"({"code":"server_error","message":"gone ?"})");
  EXPECT_EQ(response.at("output").at(0).at("status"), "incomplete");
  EXPECT_EQ(json::value(writer.response()), response);
}

TEST(ResponsesStream, StartComesOnceAndFramesOfOthersAreReadOver) {
  ResponseStreamWriter writer(head());
  std::string out;
  writer.start(out);
  writer.write(chat::Frame{"data: x\n\n"}, out);
  writer.write(chat::TextDelta{""}, out);

  EXPECT_THAT(types_of(frames_in(out)), ElementsAre("created", "in_progress"));
}

TEST(ResponsesStream, NothingAtAllIsAnEmptyMessage) {
  const auto frames = frames_in(stream_of({}));

  EXPECT_EQ(frames.back().at("response"), json::value(response_object(head(), {})));
}

TEST(ResponsesStream, HoweverPiecesAreMixedTheDeltasMakeTheOutput) {
  const std::vector<std::string> words{"a", "\"", "\\", "\n", "\x01", "ü", "😀", "data: ", "{"};
  for (std::uint32_t seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](std::uint32_t n) { return static_cast<std::int64_t>(random() % n); };
    std::vector<ChatEvent> events;
    for (std::int64_t left = below(24); left > 0; --left) {
      const std::string& word = words[random() % words.size()];
      const std::int64_t kind = below(3);
      if (kind == 0) events.emplace_back(chat::TextDelta{word});
      if (kind == 1) events.emplace_back(chat::ReasoningDelta{word});
      if (kind == 2) events.emplace_back(chat::ToolCallDelta{below(4), "c", "f", word});
    }
    const auto frames = frames_in(stream_of(events));
    ASSERT_EQ(json::value(replayed(frames)), frames.back().at("response").at("output"))
        << "seed " << seed;
  }
}

}  // namespace
}  // namespace minimill::protocol::responses
