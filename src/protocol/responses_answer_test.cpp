#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "base/json.h"
#include "protocol/responses.h"

namespace minimill::protocol::responses {
namespace {

ResponseHead head() {
  return {.id = "resp_1",
          .model = "m",
          .created_s = 7,
          .echo = parse_responses_request(R"({"model":"auto","input":"x"})")->echo};
}

json::object written(const chat::AnswerParts& answer) {
  const json::object whole = response_object(head(), chat::ChatAnswer(answer));
  return parse_json_object(json::serialize(whole)).value();
}

TEST(ResponsesAnswer, EveryFieldThatClientsReadIsThere) {
  chat::AnswerParts answer;
  answer.text = "hi";
  answer.usage = {.prompt_tokens = 5, .completion_tokens = 2, .cached_prompt_tokens = 3};

  EXPECT_EQ(
      json::serialize(response_object(head(), chat::ChatAnswer(answer))),
      R"({"id":"resp_1","object":"response","created_at":7,"status":"completed",)"
      R"("background":false,"error":null,"incomplete_details":null,"model":"m","output":[)"
      R"({"id":"msg_1_0","type":"message","status":"completed","role":"assistant","content":[)"
      R"({"type":"output_text","annotations":[],"logprobs":[],"text":"hi"}]}],)"
      R"("usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":3,)"
      R"("cache_write_tokens":0},"output_tokens":2,"output_tokens_details":{)"
      R"("reasoning_tokens":0},"total_tokens":7},"instructions":null,"tools":[],)"
      R"("tool_choice":"auto","text":{"format":{"type":"text"}},)"
      R"("reasoning":{"effort":null,"summary":null},"metadata":{},"temperature":null,)"
      R"("top_p":null,"max_output_tokens":null,"top_logprobs":0,"truncation":"disabled",)"
      R"("previous_response_id":null,"user":null,"safety_identifier":null,)"
      R"("prompt_cache_key":null,"service_tier":"default","store":true,)"
      R"("parallel_tool_calls":true})");
}

TEST(ResponsesAnswer, ThoughtsComeFirstAndCallsLast) {
  chat::AnswerParts answer;
  answer.reasoning = "hm";
  answer.text = "one moment";
  answer.tool_calls = {{"c1", "f", "{}"}, {"", "g", "[]"}};
  answer.finish = chat::FinishReason::kToolCalls;

  const json::object response = written(answer);

  EXPECT_EQ(response.at("status"), "completed");
  EXPECT_EQ(json::serialize(response.at("output").at(0)),
            R"({"id":"rs_1_0","type":"reasoning","status":"completed",)"
            R"("summary":[{"type":"summary_text","text":"hm"}]})");
  EXPECT_EQ(response.at("output").at(1).at("id"), "msg_1_1");
  EXPECT_EQ(json::serialize(response.at("output").at(2)),
            R"({"id":"fc_1_2","type":"function_call","status":"completed","call_id":"c1",)"
            R"("name":"f","arguments":"{}"})");
  EXPECT_EQ(response.at("output").at(3).at("call_id"), "call_1_3");
}

TEST(ResponsesAnswer, WhatWasCutSaysWhy) {
  chat::AnswerParts answer;
  answer.reasoning = "hm";
  answer.text = "and th";
  answer.finish = chat::FinishReason::kLength;

  const json::object cut = written(answer);
  answer.finish = chat::FinishReason::kContentFilter;
  const json::object filtered = written(answer);

  EXPECT_EQ(cut.at("status"), "incomplete");
  EXPECT_EQ(cut.at("incomplete_details").at("reason"), "max_output_tokens");
  EXPECT_EQ(cut.at("output").at(0).at("status"), "completed");
  EXPECT_EQ(cut.at("output").at(1).at("status"), "incomplete");
  EXPECT_EQ(filtered.at("incomplete_details").at("reason"), "content_filter");
}

TEST(ResponsesAnswer, NothingAtAllIsAnEmptyMessage) {
  EXPECT_EQ(written({}).at("output").at(0).at("content").at(0).at("text"), "");
}

TEST(ResponsesAnswer, LogprobsAreFinite) {
  chat::AnswerParts answer;
  answer.text = "ü";
  answer.logprobs = {{"ü", -0.5, {{"x", -std::numeric_limits<double>::infinity(), {}}}}};

  EXPECT_EQ(json::serialize(written(answer).at("output").at(0).at("content").at(0).at("logprobs")),
            R"([{"token":"ü","bytes":[195,188],"logprob":-5E-1,)"
            R"("top_logprobs":[{"token":"x","bytes":[120],"logprob":-9.999E3}]}])");
}

}  // namespace
}  // namespace minimill::protocol::responses
