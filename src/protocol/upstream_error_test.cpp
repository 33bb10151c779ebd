#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/http_status.h"
#include "protocol/openai.h"
#include "protocol/upstream_text.h"
#include "protocol/utf8.h"

namespace minimill::protocol {
namespace {

TEST(HttpStatus, EveryCodeHasItsStatusAndItsErrorBody) {
  const std::pair<ErrorCode, int> cases[] = {{ErrorCode::kInvalidArgument, 400},
                                             {ErrorCode::kUnauthorized, 401},
                                             {ErrorCode::kForbidden, 403},
                                             {ErrorCode::kNotFound, 404},
                                             {ErrorCode::kConflict, 409},
                                             {ErrorCode::kTooLarge, 413},
                                             {ErrorCode::kRateLimited, 429},
                                             {ErrorCode::kCancelled, 499},
                                             {ErrorCode::kInternal, 500},
                                             {ErrorCode::kCorrupt, 500},
                                             {ErrorCode::kIo, 500},
                                             {ErrorCode::kUnsupported, 501},
                                             {ErrorCode::kUpstream, 502},
                                             {ErrorCode::kUnavailable, 503},
                                             {ErrorCode::kTimeout, 504}};
  for (const auto& [code, status] : cases) {
    const Error error{
        .code = code, .message = "m\xff", .hint = "h", .field = "f", .retry_after = {}};
    EXPECT_EQ(http_status(code), status);
    const auto openai = parse_json_object(openai::write_error(error)).value();
    EXPECT_EQ(openai.at("error").at("message"), "m? (h)");
    EXPECT_EQ(openai.at("error").at("param"), "f");
    EXPECT_TRUE(parse_json_object(anthropic::write_error(error)).has_value());
  }
}

TEST(OpenAiError, OnlyAMissingModelIsModelNotFound) {
  Error error{.code = ErrorCode::kNotFound,
              .message = "m",
              .hint = {},
              .field = "model",
              .retry_after = {}};
  EXPECT_NE(openai::write_error(error).find("model_not_found"), std::string::npos);
  error.field.clear();
  EXPECT_EQ(openai::write_error(error).find("model_not_found"), std::string::npos);
}

TEST(UpstreamErrorStatus, MeansWhatTheHeaderSays) {
  const std::pair<int, ErrorCode> cases[] = {
      {400, ErrorCode::kInvalidArgument}, {401, ErrorCode::kUnauthorized},
      {403, ErrorCode::kUnauthorized},    {404, ErrorCode::kNotFound},
      {408, ErrorCode::kTimeout},         {413, ErrorCode::kTooLarge},
      {429, ErrorCode::kRateLimited},     {500, ErrorCode::kUpstream},
      {503, ErrorCode::kUnavailable},     {504, ErrorCode::kTimeout},
      {529, ErrorCode::kUnavailable},     {302, ErrorCode::kUpstream}};
  for (const auto& [status, code] : cases)
    EXPECT_EQ(upstream_error("p", status, "", "", 0).code, code);
  EXPECT_EQ(upstream_error("p", 500, "", "", 0).message, "p answered 500");
}

TEST(UpstreamErrorStatus, RetryAfterIsClamped) {
  EXPECT_EQ(upstream_error("p", 503, "", "-5", 0).retry_after, std::chrono::seconds{0});
  EXPECT_EQ(upstream_error("p", 429, "", "1e99", 0).retry_after, std::chrono::hours{24});
  EXPECT_EQ(upstream_error("p", 429, "", "nan", 0).retry_after, std::nullopt);
}

TEST(OneLine, IsShortValidAndWithoutKeys) {
  EXPECT_EQ(one_line(" a\n\tb\x7f "), "a  b");
  EXPECT_EQ(one_line("key sk-proj-AbC_123*** and Bearer eyJ/x+y==."), "key sk-*** and Bearer ***");
  EXPECT_EQ(one_line("ask-me task-list"), "ask-me task-list");
  const std::string cut = one_line(std::string(199, 'a') + "ü");
  EXPECT_EQ(cut, std::string(199, 'a'));
}

TEST(ValidUtf8, KeepsCharactersAndReplacesTheRest) {
  EXPECT_EQ(valid_utf8("aü漢😀"), "aü漢😀");
  EXPECT_EQ(valid_utf8("\xc0\x80|\xed\xa0\x80|\xf5|\xe6\xbc"), "??|???|?|??");
}

TEST(WholeAnswers, AreReadWithExtraFieldsAndRefusedOtherwise) {
  EXPECT_TRUE(openai::parse_answer(R"({"x":1,"choices":[{"y":2,"message":{"content":"a"}}]})"));
  for (const char* body :
       {"", "{}", R"({"choices":[]})", R"({"choices":[{"message":{"content":5}}]})",
        R"({"choices":[{"message":{"tool_calls":[1]}}]})"}) {
    const auto answer = openai::parse_answer(body);
    ASSERT_FALSE(answer.has_value()) << body;
    EXPECT_EQ(answer.error().code, ErrorCode::kUpstream);
  }
  EXPECT_EQ(openai::parse_answer(R"({"error":{"message":"no"}})").error().message,
            "an error instead of an answer: no");
}

TEST(WholeAnswers, ThoughtsSurviveBothWays) {
  chat::AnswerParts answer;
  answer.text = "t";
  answer.reasoning = "r";
  EXPECT_EQ(
      openai::parse_answer(openai::write_answer(chat::ChatAnswer(answer), "i", 1))->reasoning(),
      "r");
  EXPECT_EQ(
      anthropic::parse_answer(anthropic::write_answer(chat::ChatAnswer(answer), "i"))->reasoning(),
      "r");
}

}  // namespace
}  // namespace minimill::protocol
