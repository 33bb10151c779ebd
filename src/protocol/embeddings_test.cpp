#include "protocol/embeddings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/json.h"
#include "protocol/ollama_embed.h"

namespace minimill::protocol {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatNear;
using ::testing::HasSubstr;

using Texts = std::vector<std::string>;
using Tokens = std::vector<std::vector<std::int64_t>>;
using Vectors = std::vector<std::vector<float>>;

std::string of(std::string_view input) {
  return R"({"model":"m","input":)" + std::string(input) + "}";
}

std::string with(std::string_view fields) {
  return R"({"model":"m","input":"x",)" + std::string(fields) + "}";
}

std::string list(std::string_view entry, std::size_t times) {
  std::string text = "[";
  for (std::size_t i = 0; i < times; ++i) text.append(i == 0 ? "" : ",").append(entry);
  return text + "]";
}

EmbeddingAnswer answer_of(Vectors vectors) {
  return {.model = "m", .vectors = std::move(vectors), .prompt_tokens = 5};
}

TEST(EmbeddingRequest, TakesAllFourKindsOfInput) {
  EXPECT_EQ(parse_embedding_request(of(R"("a")"))->texts, Texts{"a"});
  EXPECT_EQ(parse_embedding_request(of(R"(["a","b"])"))->texts, (Texts{"a", "b"}));
  EXPECT_EQ(parse_embedding_request(of("[1,2]"))->tokens, (Tokens{{1, 2}}));
  EXPECT_EQ(parse_embedding_request(of("[[1,2],[3]]"))->tokens, (Tokens{{1, 2}, {3}}));
  EXPECT_EQ(parse_embedding_request(of("[[1,2],[3]]"))->inputs(), 2U);
}

TEST(EmbeddingRequest, ReadsOpenAisOptions) {
  const auto request =
      parse_embedding_request(with(R"("encoding_format":"base64","dimensions":256,"user":"u")"));

  EXPECT_TRUE(request->base64);
  EXPECT_EQ(request->dimensions, 256);
  EXPECT_FALSE(parse_embedding_request(of(R"("a")"))->base64);
}

TEST(EmbeddingRequest, EveryWrongFieldIsNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"input":"x"})", "model"},
      {R"({"model":"","input":"x"})", "model"},
      {R"({"model":"m"})", "input"},
      {of("null"), "input"},
      {of("5"), "input"},
      {of("{}"), "input"},
      {of(R"("")"), "input"},
      {of("[]"), "input"},
      {of(R"(["a",""])"), "input[1]"},
      {of(R"(["a",5])"), "input[1]"},
      {of(R"([5,"a"])"), "input[1]"},
      {of("[5,-1]"), "input[1]"},
      {of("[5,1.5]"), "input[1]"},
      {of("[1e300]"), "input[0]"},
      {of("[[1],[]]"), "input[1]"},
      {of(R"([[1],"a"])"), "input[1]"},
      {of("[[1],[2,null]]"), "input[1][1]"},
      {of("[[[1]]]"), "input[0][0]"},
      {with(R"("encoding_format":"int8")"), "encoding_format"},
      {with(R"("dimensions":0)"), "dimensions"},
      {with(R"("dimensions":65537)"), "dimensions"},
      {with(R"("user":5)"), "user"},
  };
  for (const auto& [body, field] : cases) {
    const auto request = parse_embedding_request(body);
    ASSERT_FALSE(request.has_value()) << body;
    EXPECT_EQ(request.error().code, ErrorCode::kInvalidArgument) << body;
    EXPECT_EQ(request.error().field, field) << body;
  }
}

TEST(EmbeddingRequest, IsBoundedAndNeverCrashes) {
  EXPECT_TRUE(parse_embedding_request(of(list("\"x\"", kMaxEmbeddingInputs))));
  EXPECT_FALSE(parse_embedding_request(of(list("\"x\"", kMaxEmbeddingInputs + 1))));
  EXPECT_TRUE(parse_embedding_request(of(list("[1]", kMaxEmbeddingInputs))));
  EXPECT_FALSE(parse_embedding_request(of(list("[1]", kMaxEmbeddingInputs + 1))));
  EXPECT_TRUE(parse_embedding_request(of(list("1", kMaxEmbeddingInputTokens))));
  EXPECT_FALSE(parse_embedding_request(of(list("1", kMaxEmbeddingInputTokens + 1))));
  EXPECT_FALSE(parse_embedding_request(of(std::string(9000, '[') + std::string(9000, ']'))));
  EXPECT_FALSE(parse_embedding_request(of("\"\xff\"")));
  EXPECT_FALSE(parse_embedding_request(""));
}

TEST(EmbeddingRequest, WrittenForABackendItReadsBack) {
  for (const char* input : {R"(["a","b"])", "[[1,2],[3]]"}) {
    EmbeddingRequest request = parse_embedding_request(of(input)).value();
    request.dimensions = 2;
    request.base64 = true;

    const auto sent = parse_embedding_request(write_embedding_request(request, "backend")).value();

    EXPECT_EQ(sent.model, "backend");
    EXPECT_EQ(sent.texts, request.texts);
    EXPECT_EQ(sent.tokens, request.tokens);
    EXPECT_EQ(sent.dimensions, std::nullopt) << "shortening is ours";
    EXPECT_FALSE(sent.base64);
  }
}

TEST(EmbeddingAnswer, IsReadInTheOrderOfItsIndexes) {
  const auto answer = parse_embedding_answer(R"({"object":"list","model":"nomic","data":[
      {"object":"embedding","index":1,"embedding":[0.5,-1]},
      {"object":"embedding","index":0,"embedding":[0.25,1e-8]}],
      "usage":{"prompt_tokens":7,"total_tokens":7}})",
                                             2);

  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->model, "nomic");
  EXPECT_EQ(answer->vectors, (Vectors{{0.25F, 1e-8F}, {0.5F, -1.0F}}));
  EXPECT_EQ(answer->prompt_tokens, 7);
}

TEST(EmbeddingAnswer, WhatIsNoneIsUpstreamsFault) {
  const auto data = [](std::string_view entries) {
    return R"({"data":[)" + std::string(entries) + "]}";
  };
  const std::string bodies[] = {
      "",
      "<html>",
      "[]",
      "{}",
      R"({"error":{"message":"no pooling"}})",
      data(""),
      data(R"({"embedding":[1]})"),
      data(R"({"embedding":[1]},{"embedding":[1]},{"embedding":[1]})"),
      data(R"({"embedding":[1]},5)"),
      data(R"({"embedding":[1]},{"embedding":[]})"),
      data(R"({"embedding":[1]},{"embedding":[[1]]})"),
      data(R"({"embedding":[1]},{"embedding":"AACAPw=="})"),
      data(R"({"embedding":[1]},{"embedding":[1,2]})"),
      data(R"({"embedding":[1]},{"embedding":[1e300]})"),
      data(R"({"embedding":[1]},{"embedding":[null]})"),
      data(R"({"embedding":[1],"index":0},{"embedding":[1],"index":0})"),
      data(R"({"embedding":[1],"index":0},{"embedding":[1],"index":2})"),
      data(R"({"embedding":[1],"index":0},{"embedding":[1],"index":-1})"),
      data(R"({"embedding":[1,2],"index":1},{"embedding":[1],"index":0})"),
  };
  for (const std::string& body : bodies) {
    const auto answer = parse_embedding_answer(body, 2);
    ASSERT_FALSE(answer.has_value()) << body;
    EXPECT_EQ(answer.error().code, ErrorCode::kUpstream) << body;
  }
  EXPECT_THAT(parse_embedding_answer(bodies[4], 2).error().message, HasSubstr("no pooling"));
}

TEST(EmbeddingAnswer, WrittenAsNumbersItReadsBackTheSame) {
  const EmbeddingAnswer answer = answer_of({{0.1F, -1e-8F, 3}, {1.0F / 3, 0, -0.0F}});

  const auto read = parse_embedding_answer(write_embedding_answer(answer, false), 2);

  EXPECT_EQ(read, answer);
}

TEST(EmbeddingAnswer, AsBase64IsLittleEndianFloats) {
  const auto written =
      parse_json_object(write_embedding_answer(answer_of({{1.0F, -2.0F}}), true)).value();

  EXPECT_EQ(written.at("data").at(0).at("embedding"), "AACAPwAAAMA=");
  EXPECT_EQ(written.at("usage"), json::value({{"prompt_tokens", 5}, {"total_tokens", 5}}));
}

TEST(Shorten, CutsAndBringsBackToLengthOne) {
  const auto shortened = shorten(answer_of({{3, 4, 12}, {0, 0, 1}}), 2).value();

  EXPECT_THAT(shortened.vectors[0], ElementsAre(FloatNear(0.6F, 1e-6F), FloatNear(0.8F, 1e-6F)));
  EXPECT_THAT(shortened.vectors[1], ElementsAre(0.0F, 0.0F));
}

TEST(Shorten, CannotMakeLonger) {
  for (const std::int64_t dimensions : {-1, 0, 4}) {
    const auto shortened = shorten(answer_of({{3, 4, 12}}), dimensions);
    ASSERT_FALSE(shortened.has_value());
    EXPECT_EQ(shortened.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(shortened.error().field, "dimensions");
  }
}

TEST(OllamaEmbed, TakesATextOrTexts) {
  const auto one = ollama::parse_embed_request(of(R"("a")")).value();
  const auto request = ollama::parse_embed_request(
      R"({"model":"m","input":["a","b"],"truncate":false,"dimensions":64,"keep_alive":"5m",
          "options":{"num_ctx":512}})");

  EXPECT_EQ(one.embedding.texts, Texts{"a"});
  EXPECT_TRUE(one.truncate);
  EXPECT_FALSE(one.load_only);
  EXPECT_EQ(request->embedding.texts, (Texts{"a", "b"}));
  EXPECT_EQ(request->embedding.dimensions, 64);
  EXPECT_FALSE(request->truncate);
  EXPECT_EQ(request->keep_alive, std::chrono::minutes(5));
  EXPECT_THAT(request->emulated, ElementsAre("options.num_ctx left to the engine"));
}

TEST(OllamaEmbed, OlderRequestsHaveAPrompt) {
  const auto request = ollama::parse_embeddings_request(R"({"model":"m","prompt":"a"})");

  EXPECT_EQ(request->embedding.texts, Texts{"a"});
}

TEST(OllamaEmbed, NothingToEmbedMeansLoad) {
  EXPECT_TRUE(ollama::parse_embed_request(R"({"model":"m"})")->load_only);
  EXPECT_TRUE(ollama::parse_embed_request(of("[]"))->load_only);
  EXPECT_TRUE(ollama::parse_embed_request(of(R"("")"))->load_only);
  EXPECT_TRUE(ollama::parse_embeddings_request(R"({"model":"m"})")->load_only);
}

TEST(OllamaEmbed, EveryWrongFieldIsNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {R"({"input":"x"})", "model"},
      {of("5"), "input"},
      {of("[5]"), "input[0]"},
      {of(R"(["a",""])"), "input[1]"},
      {of(list("\"x\"", ollama::kMaxEmbedInputs + 1)), "input"},
      {with(R"("truncate":1)"), "truncate"},
      {with(R"("dimensions":-1)"), "dimensions"},
      {with(R"("options":1)"), "options"},
      {with(R"("keep_alive":[])"), "keep_alive"},
  };
  for (const auto& [body, field] : cases) {
    const auto request = ollama::parse_embed_request(body);
    ASSERT_FALSE(request.has_value()) << body.substr(0, 100);
    EXPECT_EQ(request.error().field, field) << body.substr(0, 100);
  }
  EXPECT_EQ(ollama::parse_embeddings_request(R"({"model":"m","prompt":5})").error().field,
            "prompt");
}

TEST(OllamaEmbed, AnswersInBothShapes) {
  const EmbeddingAnswer answer = answer_of({{0.5F, -1}, {0.25F, 0}});
  const ollama::Durations durations{.total = std::chrono::nanoseconds(9),
                                    .load = std::chrono::nanoseconds(4),
                                    .prompt_eval = {},
                                    .eval = {}};

  EXPECT_EQ(ollama::write_embed_answer(answer, durations),
            R"({"model":"m","embeddings":[[0.5,-1],[0.25,0]],"total_duration":9,)"
            R"("load_duration":4,"prompt_eval_count":5})");
  EXPECT_EQ(ollama::write_embeddings_answer(answer), R"({"embedding":[0.5,-1]})");
  EXPECT_EQ(ollama::write_embeddings_answer({}), R"({"embedding":[]})");
}

}  // namespace
}  // namespace minimill::protocol
