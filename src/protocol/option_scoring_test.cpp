#include "protocol/option_scoring.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/json.h"
#include "chat/closed_question.h"

namespace minimill::protocol {
namespace {

const std::vector<std::string> kOptions{"post", "bank", "other"};
const std::vector<std::size_t> kOrder{2, 0, 1};

TEST(OptionScoring, EveryOptionComesFirstAboutAsOften) {
  SeededRandom random(5);
  std::map<std::size_t, int> first;
  for (int i = 0; i < 3'000; ++i) {
    std::vector<std::size_t> order = random_order(3, random);
    ++first[order.front()];
    std::ranges::sort(order);
    ASSERT_EQ(order, (std::vector<std::size_t>{0, 1, 2}));
  }
  for (const auto& [option, times] : first) EXPECT_NEAR(times, 1'000, 120) << option;
}

TEST(OptionScoring, EngineIsShownTheOptionsByLetterInTheirOrderAndKeptToTheLetters) {
  const chat::ChatRequest question = chat::closed_question("auto", "Which?", {}, kOptions);

  const auto body = parse_json_object(write_scoring_request(question, kOptions, kOrder, "tiny"));

  ASSERT_TRUE(body);
  EXPECT_EQ(body->at("max_tokens"), 1);
  EXPECT_EQ(body->at("top_logprobs"), 3);
  EXPECT_EQ(body->at("logit_bias").as_object().size(), 3U);
  EXPECT_FALSE(body->contains("response_format"));
  const std::string text = json::serialize(body->at("messages"));
  EXPECT_NE(text.find(R"(A. other\nB. post\nC. bank)"), std::string::npos) << text;
}

TEST(OptionScoring, LettersProbabilitiesAreTheOptionsAndOtherTokensCountNothing) {
  const Result<chat::ChatAnswer> answer = read_scoring_answer(
      R"({"model":"tiny","usage":{"prompt_tokens":9,"completion_tokens":1},"choices":[{"logprobs":
      {"content":[{"token":"B","prob":0.3,"top_probs":[{"token":"B","prob":0.3},
      {"token":"A","prob":0.2},{"token":" b","prob":0.4},{"token":"Z","prob":0.1}]}]}}]})",
      kOptions, kOrder);

  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->text(), R"({"answer":"post"})");
  EXPECT_EQ(answer->usage().prompt_tokens, 9);
  const std::vector<double> p = chat::option_probabilities(*answer, kOptions);
  EXPECT_NEAR(p[0], 0.6, 1e-6);
  EXPECT_NEAR(p[1], 0, 1e-6);
  EXPECT_NEAR(p[2], 0.4, 1e-6);
}

TEST(OptionScoring, EngineThatTellsNoProbabilitiesIsNoneThatCanScore) {
  for (const char* body : {"{}", R"({"choices":[]})", R"({"choices":[{"logprobs":null}]})",
                           R"({"choices":[{"logprobs":{"content":[{"top_probs":[]}]}}]})",
                           R"({"choices":[{"logprobs":{"content":[{"top_probs":[
                             {"token":"A","prob":"x"},{"token":"B","prob":7}]}]}}]})"}) {
    const Result<chat::ChatAnswer> answer = read_scoring_answer(body, kOptions, kOrder);
    ASSERT_FALSE(answer) << body;
    EXPECT_EQ(answer.error().code, ErrorCode::kUnsupported) << body;
  }
}

}  // namespace
}  // namespace minimill::protocol
