#include "protocol/ollama_models.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/json.h"

namespace minimill::protocol {
namespace {

constexpr WallTime kThen{Millis{1'763'676'245'123}};
const ollama::ModelDetails kDetails{
    .format = "gguf", .family = "llama", .parameter_size = "135M", .quantization_level = "Q4_K_M"};

json::object parsed(std::string_view text) { return parse_json_object(text).value(); }

TEST(OllamaModelRequest, TakesModelOrName) {
  const auto older =
      ollama::parse_model_request(R"({"name":"a:1b","stream":false,"insecure":true})").value();

  EXPECT_EQ(ollama::parse_model_request(R"({"model":"b"})")->model, "b");
  EXPECT_TRUE(ollama::parse_model_request(R"({"model":"b","name":""})")->stream);
  EXPECT_EQ(older.model, "a:1b");
  EXPECT_FALSE(older.stream);
  EXPECT_TRUE(older.insecure);
}

TEST(OllamaModelRequest, EveryWrongFieldIsNamed) {
  const std::pair<std::string, std::string> cases[] = {
      {"{}", "model"},
      {R"({"model":""})", "model"},
      {R"({"model":5})", "model"},
      {R"({"name":[]})", "name"},
      {R"({"model":")" + std::string(257, 'm') + "\"}", "model"},
      {R"({"model":"m","stream":"no"})", "stream"},
      {R"({"model":"m","insecure":1})", "insecure"},
  };
  for (const auto& [body, field] : cases) {
    const auto request = ollama::parse_model_request(body);
    ASSERT_FALSE(request.has_value()) << body;
    EXPECT_EQ(request.error().code, ErrorCode::kInvalidArgument) << body;
    EXPECT_EQ(request.error().field, field) << body;
  }
  EXPECT_FALSE(ollama::parse_model_request(""));
  EXPECT_FALSE(ollama::parse_model_request("{\"model\":\"\xff\"}"));
}

TEST(OllamaModels, TagsAreAsOllamaListsThem) {
  EXPECT_EQ(parsed(ollama::write_tags({})), parsed(R"({"models":[]})"));
  EXPECT_EQ(parsed(ollama::write_tags({{.name = "smol:135m",
                                        .modified_at = kThen,
                                        .size_bytes = 1234,
                                        .digest = "ab12",
                                        .details = kDetails}})),
            parsed(R"({"models":[{"name":"smol:135m","model":"smol:135m",
      "modified_at":"2025-11-20T22:04:05.123Z","size":1234,"digest":"ab12",
      "details":{"parent_model":"","format":"gguf","family":"llama","families":["llama"],
                 "parameter_size":"135M","quantization_level":"Q4_K_M"}}]})"));
}

TEST(OllamaModels, WhatIsLoadedSaysUntilWhen) {
  const ollama::LoadedModel model{.name = "m",
                                  .size_bytes = 10,
                                  .size_vram_bytes = 4,
                                  .digest = "d",
                                  .details = kDetails,
                                  .expires_at = kThen,
                                  .context_length = 4096};
  ollama::LoadedModel forever = model;
  forever.expires_at.reset();

  const auto models = parsed(ollama::write_ps({model, forever})).at("models").as_array();

  EXPECT_EQ(models.at(0).at("expires_at"), "2025-11-20T22:04:05.123Z");
  EXPECT_EQ(models.at(0).at("size_vram"), 4);
  EXPECT_EQ(models.at(0).at("context_length"), 4096);
  EXPECT_EQ(models.at(1).at("expires_at").as_string().subview(0, 2), "23") << "in the 24th century";
}

TEST(OllamaModels, ShowHasLengthsUnderTheArchitecturesName) {
  const auto shown = parsed(ollama::write_show(
      {.modified_at = kThen,
       .details = kDetails,
       .chat_template = "{{ messages }}",
       .parameters = "stop \"x\"",
       .license = "MIT",
       .capabilities = {"completion", "tools"},
       .context_length = 8192,
       .embedding_length = 576,
       .model_info = {{"general.parameter_count", 134'515'008}, {"llama.context_length", 2048}}}));

  EXPECT_EQ(shown.at("model_info"),
            parsed(R"({"general.parameter_count":134515008,"llama.context_length":2048,
                       "general.architecture":"llama","llama.embedding_length":576})"));
  EXPECT_EQ(shown.at("capabilities"), parse_json(R"(["completion","tools"])").value());
  EXPECT_EQ(shown.at("template"), "{{ messages }}");
  EXPECT_EQ(shown.at("modified_at"), "2025-11-20T22:04:05.123Z");
  EXPECT_EQ(shown.at("details").at("parameter_size"), "135M");
}

TEST(OllamaModels, ShowOfAnUnknownModelStillHasAllFields) {
  const auto shown = parsed(ollama::write_show({}));

  EXPECT_EQ(shown.at("model_info"), json::object());
  EXPECT_EQ(shown.at("details").at("families"), json::array());
}

TEST(OllamaModels, NamesThatAreNoTextAreStillJson) {
  const auto tags = parsed(ollama::write_tags(
      {{.name = "a\xff", .modified_at = kThen, .size_bytes = 0, .digest = "", .details = {}}}));

  EXPECT_EQ(tags.at("models").at(0).at("name"), "a?");
}

TEST(OllamaModels, PullsTellHowFarTheyAre) {
  EXPECT_EQ(
      ollama::write_pull_progress(
          {.status = "pulling manifest", .digest = "", .total_bytes = {}, .completed_bytes = {}}),
      "{\"status\":\"pulling manifest\"}\n");
  EXPECT_EQ(
      ollama::write_pull_progress(
          {.status = "pulling ab", .digest = "sha256:ab", .total_bytes = 10, .completed_bytes = 4}),
      "{\"status\":\"pulling ab\",\"digest\":\"sha256:ab\",\"total\":10,\"completed\":4}\n");
}

TEST(OllamaModels, TheVersionIsOneField) {
  EXPECT_EQ(ollama::write_version("0.13.4"), R"({"version":"0.13.4"})");
}

}  // namespace
}  // namespace minimill::protocol
