#include "cloud/catalogue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloud/price_table.h"

namespace minimill::cloud {
namespace {

using testing::HasSubstr;

TEST(Catalogue, KnowsTheProvidersThatPeopleUse) {
  for (const char* name : {"openai", "anthropic", "google", "mistral", "deepseek", "groq",
                           "together", "fireworks", "openrouter", "azure", "xai", "cerebras"}) {
    const CatalogueProvider* provider = Catalogue::built_in().find(name);
    ASSERT_NE(provider, nullptr) << name;
    EXPECT_TRUE(provider->base_url.starts_with("https://")) << name;
    EXPECT_FALSE(provider->key_env.empty()) << name;
    EXPECT_FALSE(provider->read.empty()) << name;
    EXPECT_FALSE(provider->models.empty()) << name;
    for (const CatalogueModel& model : provider->models) {
      ASSERT_TRUE(model.price) << model.name;
      EXPECT_LE(model.price->cached_input_usd_per_mtok, model.price->input_usd_per_mtok);
      EXPECT_GT(model.price->output_usd_per_mtok, 0) << model.name;
    }
  }
}

TEST(Catalogue, AzureWantsItsResourceFilledInAndItsOwnHeader) {
  const CatalogueProvider* azure = Catalogue::built_in().find("azure");
  EXPECT_TRUE(azure->is_template());
  EXPECT_EQ(azure->key_header, "api-key");
}

TEST(Catalogue, SaysWhoHasABatchApiAndWhatItCosts) {
  const Catalogue& catalogue = Catalogue::built_in();

  EXPECT_TRUE(catalogue.find_by_url("https://api.openai.com/v1")->batch_api);
  EXPECT_TRUE(catalogue.find_by_url("https://api.anthropic.com")->batch_api);
  EXPECT_FALSE(catalogue.find("deepseek")->batch_api);
  EXPECT_EQ(catalogue.find("openai")->batch_price_factor, 0.5);
  EXPECT_EQ(catalogue.find("deepseek")->batch_price_factor, 1);
  EXPECT_EQ(catalogue.find_by_url("https://proxy.example/v1"), nullptr);
}

TEST(Catalogue, OldNameOfTheBatchPriceIsRefusedAsItMeantTheOpposite) {
  Catalogue catalogue;

  const Result<> added = catalogue.add(
      "[[provider]]\nname = \"a\"\nbase_url = \"https://a.example\"\nbatch_discount = 0.3\n",
      "providers.toml");

  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().hint, HasSubstr("batch_price_factor"));
}

TEST(Catalogue, UsersFileOverridesAndAdds) {
  Catalogue catalogue = Catalogue::built_in();

  const Result<> added = catalogue.add(
      R"([[provider]]
name = "groq"
base_url = "https://proxy.example/groq/"
models = [{ name = "llama-3.1-8b-instant", input = 1.0, output = 2.0 }, { name = "fresh" }]

[[provider]]
name = "own"
base_url = "http://10.0.0.2:8000/v1"
models = [{ name = "house-model", input = 0.1, output = 0.1 }])",
      "providers.toml");

  ASSERT_TRUE(added) << added.error().to_string();
  const CatalogueProvider* groq = catalogue.find("groq");
  EXPECT_EQ(groq->base_url, "https://proxy.example/groq");
  EXPECT_EQ(groq->key_env, "GROQ_API_KEY");
  EXPECT_EQ(groq->models.front(), Catalogue::built_in().find("groq")->models.front());
  EXPECT_EQ(groq->models.back().name, "fresh");
  ASSERT_NE(catalogue.find("own"), nullptr);
  const PriceTable prices(catalogue);
  EXPECT_EQ(prices.find("groq", "llama-3.1-8b-instant")->output_usd_per_mtok, 2.0);
  EXPECT_EQ(prices.find("house-model")->input_usd_per_mtok, 0.1);
  EXPECT_EQ(prices.find("groq", "fresh"), std::nullopt);
}

TEST(Catalogue, ErrorsNameLineAndKeyAndChangeNothing) {
  Catalogue catalogue = Catalogue::built_in();
  const auto error = [&catalogue](std::string_view text) {
    const Result<> added = catalogue.add(text, "providers.toml");
    return added ? std::string("accepted") : added.error().to_string();
  };

  EXPECT_THAT(error("[[provider]]\nname = \"groq\"\nbase_ulr = \"x\""),
              testing::AllOf(HasSubstr("providers.toml:3"), HasSubstr("base_url")));
  EXPECT_THAT(error("[[provider]]\nname = \"new\""), HasSubstr("base_url"));
  EXPECT_THAT(error("[[provider]]\nname = \"groq\"\nmodels = [{ name = \"m\", input = -1 }]"),
              HasSubstr("providers.toml:3: provider.models.input"));
  EXPECT_THAT(error("[[provider]]\nname = \"groq\"\nkey_header = \"a\\r\\nb\""),
              HasSubstr("key_header"));
  EXPECT_THAT(error("[[provider\n"), HasSubstr("providers.toml:1"));
  EXPECT_EQ(catalogue.providers(), Catalogue::built_in().providers());
}

TEST(Catalogue, EveryRuleSaysWhereAndWhenItWasRead) {
  ASSERT_FALSE(Catalogue::built_in().rules().empty());
  for (const DialectRule& rule : Catalogue::built_in().rules()) {
    EXPECT_TRUE(rule.source.starts_with("https://")) << rule.name;
    EXPECT_FALSE(rule.read.empty()) << rule.name;
  }
}

TEST(Catalogue, RulesAreForAProvidersModelsAndUsersReplaceThem) {
  Catalogue catalogue = Catalogue::built_in();
  const auto wants = [&catalogue](std::string_view provider, std::string_view model) {
    return dialect_of(catalogue.rules(), provider, model);
  };
  EXPECT_TRUE(wants("openai", "gpt-5-mini").max_completion_tokens);
  EXPECT_FALSE(wants("groq", "gpt-5-mini").max_completion_tokens);
  EXPECT_TRUE(wants("openai", "gpt-5.1-2025-11-13").effort_none);
  EXPECT_FALSE(wants("openai", "gpt-5.1-codex").effort_none);

  const Result<> added = catalogue.add(R"([[rule]]
name = "openai-limit"
provider = "openai"
wants = "nothing"

[[rule]]
name = "qwen"
provider = "vllm"
models = ["Qwen*"]
wants = "one_system_message")",
                                       "providers.toml");

  ASSERT_TRUE(added) << added.error().to_string();
  EXPECT_FALSE(wants("openai", "gpt-5-mini").max_completion_tokens);
  EXPECT_TRUE(wants("vllm", "Qwen3.5-32B").one_system_message);
  EXPECT_FALSE(catalogue.add("[[rule]]\nname = \"x\"\nprovider = \"y\"\nwants = \"z\"", "f"));
}

}  // namespace
}  // namespace minimill::cloud
