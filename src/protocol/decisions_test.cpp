#include "protocol/decisions.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "chat/closed_question.h"

namespace minimill::protocol::decisions {
namespace {

constexpr std::string_view kAsked = R"({"model":"auto","input":"The parcel is late.","questions":[
  {"type":"predicate","name":"late","instructions":"It complains."},
  {"type":"choice","instructions":"Which queue?","choices":[
    {"value":"post","description":"parcels"},{"value":true},{"value":"true"}]},
  {"type":"score","name":"urgency","instructions":[{"type":"input_text","text":"How urgent?"}],
   "levels":[{"label":"low"},{"label":"high"}]}]})";

DecisionRequest parsed(std::string_view body) {
  Result<DecisionRequest> request = parse_decision_request(body);
  EXPECT_TRUE(request) << (request ? "" : request.error().to_string());
  return request.value_or(DecisionRequest{});
}

TEST(Decisions, QuestionsAreReadWithTheirOptionsInOrderAndTextAndFlagApart) {
  const DecisionRequest request = parsed(kAsked);

  ASSERT_EQ(request.questions.size(), 3U);
  EXPECT_EQ(request.questions[0].kind, Kind::kPredicate);
  EXPECT_EQ(labels_of(request.questions[1]),
            (std::vector<std::string>{"post", "true", "true (text)"}));
  EXPECT_EQ(request.questions[1].name, std::nullopt);
  EXPECT_EQ(request.questions[2].instructions, "How urgent?");
}

TEST(Decisions, QuestionIsAClosedChatWhoseTextEndsWithItsOptions) {
  const DecisionRequest request = parsed(kAsked);

  const chat::ChatRequest chat = ask(request, request.questions[1]);

  EXPECT_EQ(chat::options_of(chat), labels_of(request.questions[1]));
  const std::string text = chat::prompt_text(chat);
  EXPECT_TRUE(text.starts_with("The parcel is late.\n\nWhich queue?\n- post: parcels"));
  EXPECT_TRUE(text.ends_with("Answer with exactly one of: post, true, true (text)."));
}

TEST(Decisions, ConversationIsOneInputAndAToolsOutputNeedsItsCall) {
  const DecisionRequest request = parsed(R"({"model":"m","questions":[
      {"type":"predicate","instructions":"x"}],"input":[
      {"role":"user","content":[{"type":"input_text","text":"Where is it?"},
        {"type":"input_image","image_url":"data:image/png;base64,AA=="},
        {"type":"input_json","data":{"order":1}}]},
      {"type":"function_call","call_id":"c1","name":"find","arguments":"{}"},
      {"type":"function_call_output","call_id":"c1","output":"lost"}]})");

  EXPECT_EQ(request.input, "user: Where is it?\n{\"order\":1}\n\ncall of find: {}\n\nresult: lost");
  EXPECT_EQ(request.images.size(), 1U);
  const Result<DecisionRequest> lost = parse_decision_request(R"({"model":"m","questions":[
      {"type":"predicate","instructions":"x"}],
      "input":[{"type":"function_call_output","call_id":"c2","output":"lost"}]})");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().field, "input[0].call_id");
}

TEST(Decisions, WhatIsWrongIsNamed) {
  const auto with = [](std::string_view question) {
    return R"({"model":"m","input":"x","questions":[)" + std::string(question) + "]}";
  };
  const std::vector<std::pair<std::string, std::string>> cases{
      {"{}", "model"},
      {R"({"model":"m","questions":[]})", "input"},
      {R"({"model":"m","input":"x","questions":[]})", "questions"},
      {R"({"model":"m","input":[],"questions":[{}]})", "input"},
      {with("7"), "questions[0]"},
      {with(R"({"type":"predicate"})"), "questions[0].instructions"},
      {with(R"({"type":"poem","instructions":"x"})"), "questions[0].type"},
      {with(R"({"type":"choice","instructions":"x","choices":[{"value":"a"}]})"),
       "questions[0].choices"},
      {with(R"({"type":"choice","instructions":"x","choices":[{"value":"a"},{"value":"a"}]})"),
       "questions[0].choices[1].value"},
      {with(R"({"type":"choice","instructions":"x","choices":[{"value":"a"},{"value":1}]})"),
       "questions[0].choices[1].value"},
      {with(R"({"type":"score","instructions":"x","levels":[{"label":"a"},{"label":""}]})"),
       "questions[0].levels[1].label"},
      {with(R"({"type":"predicate","instructions":[{"type":"poem"}]})"),
       "questions[0].instructions[0].type"},
  };
  for (const auto& [body, field] : cases) {
    const Result<DecisionRequest> request = parse_decision_request(body);
    ASSERT_FALSE(request) << body;
    EXPECT_EQ(request.error().field, field) << body;
    EXPECT_EQ(request.error().code, ErrorCode::kInvalidArgument) << body;
  }
}

TEST(Decisions, AnswersAreWrittenByKindWithScoreAsTheExpectedLevel) {
  const DecisionRequest request = parsed(kAsked);
  const std::vector<Answer> answers{
      {.p = {0.75, 0.25}}, {.p = {0.25, 0.5, 0.25}}, {.p = {0.5, 0.5}}};

  const auto body = parse_json_object(write_decision(request, answers, "m", {.prompt_tokens = 3}));

  EXPECT_EQ(body->at("answers"), parse_json(R"([
      {"name":"late","type":"predicate","probability":0.75},
      {"name":null,"type":"choice","choice":true,"confidence":0.5,"probabilities":[
        {"probability":0.25,"value":"post"},{"probability":0.5,"value":true},
        {"probability":0.25,"value":"true"}]},
      {"name":"urgency","type":"score","score":0.5,"confidence":0.5,"probabilities":[
        {"probability":0.5,"label":"low","value":0},{"probability":0.5,"label":"high","value":1}]}])")
                                     .value());
  EXPECT_EQ(body->at("usage").at("total_tokens"), 3);
}

TEST(Decisions, FilteredAnswerIsARefusalOfThatQuestionAndAnUnknownOneAnError) {
  const DecisionRequest request = parsed(kAsked);
  chat::AnswerParts parts;
  parts.finish = chat::FinishReason::kContentFilter;

  const Result<Answer> refused = read_answer(request.questions[0], chat::ChatAnswer(parts));

  ASSERT_TRUE(refused);
  const std::vector<Answer> answers{*refused, {.p = {1, 0, 0}}, {.p = {1, 0}}};
  const auto body = parse_json_object(write_decision(request, answers, "m", {}));
  EXPECT_EQ(body->at("answers").at(0), (json::object{{"name", "late"}, {"type", "refusal"}}));
  parts.finish = chat::FinishReason::kStop;
  parts.text = "perhaps";
  EXPECT_EQ(read_answer(request.questions[0], chat::ChatAnswer(parts)).error().code,
            ErrorCode::kUpstream);
}

}  // namespace
}  // namespace minimill::protocol::decisions
