#include "chat/closed_question.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

namespace minimill::chat {
namespace {

const std::vector<std::string> kOptions{"billing", "a \"quoted\" one", "other"};

ChatAnswer said(std::string text, std::vector<TokenLogprob> logprobs = {}) {
  AnswerParts parts;
  parts.text = std::move(text);
  parts.logprobs = std::move(logprobs);
  return ChatAnswer(std::move(parts));
}

TEST(ClosedQuestion, KnowsItsOptionsAgainAndNoOtherRequestHasAny) {
  const ChatRequest question = closed_question("auto", "Which one of: …", {}, kOptions);

  EXPECT_EQ(options_of(question), kOptions);
  EXPECT_TRUE(question.logprobs);
  EXPECT_EQ(options_of(ChatRequest()), std::nullopt);
  ChatRequest other = question;
  other.edit([](RequestParts& parts) { parts.json_schema["name"] = "verdict"; });
  EXPECT_EQ(options_of(other), std::nullopt);
}

TEST(ClosedQuestion, AnswerNamesAnOptionOrNone) {
  for (std::size_t i = 0; i < kOptions.size(); ++i) {
    EXPECT_EQ(option_in(closed_answer(kOptions[i]), kOptions), i);
  }
  for (const char* text : {"billing", "{}", R"({"answer":1})", R"({"answer":"else"})", ""}) {
    EXPECT_EQ(option_in(text, kOptions), std::nullopt) << text;
    EXPECT_TRUE(option_probabilities(said(text), kOptions).empty()) << text;
  }
}

TEST(ClosedQuestion, WeighedAnswerTellsTheProbabilitiesItWasMadeOf) {
  const std::vector<double> p{0.2, 0.7, 0.1};
  AnswerParts parts = weighed_answer(kOptions, p);

  const std::vector<double> read = option_probabilities(ChatAnswer(std::move(parts)), kOptions);

  ASSERT_EQ(read.size(), 3U);
  for (std::size_t i = 0; i < p.size(); ++i) EXPECT_NEAR(read[i], p[i], 1e-9);
}

TEST(ClosedQuestion, WhoTellsNoProbabilitiesIsTakenAtItsWord) {
  EXPECT_EQ(option_probabilities(said(closed_answer("other")), kOptions),
            (std::vector<double>{0, 0, 1}));
}

TEST(ClosedQuestion, ProbabilityOfGeneratedOptionIsThatOfItsTokens) {
  const ChatAnswer answer = said(R"({"answer":"billing"})", {{R"({"answer":")", -3, {}},
                                                             {"bill", std::log(0.5), {}},
                                                             {"ing", std::log(0.8), {}},
                                                             {"\"}", -2, {}}});

  const std::vector<double> p = option_probabilities(answer, kOptions);

  EXPECT_NEAR(p[0], 0.4, 1e-9);
  EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1, 1e-9);
}

}  // namespace
}  // namespace minimill::chat
