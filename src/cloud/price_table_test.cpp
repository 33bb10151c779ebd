#include "cloud/price_table.h"

#include <gtest/gtest.h>

namespace minimill::cloud {
namespace {

TEST(PriceTable, CachedPromptTokensCostTheirOwnPrice) {
  PriceTable prices;
  prices.set("m",
             {.input_usd_per_mtok = 2, .cached_input_usd_per_mtok = 1, .output_usd_per_mtok = 10});

  const double cost = prices.cost_usd(
      "m",
      {.prompt_tokens = 1'000'000, .completion_tokens = 100'000, .cached_prompt_tokens = 500'000});

  EXPECT_DOUBLE_EQ(cost, 0.5 * 2 + 0.5 * 1 + 0.1 * 10);
}

TEST(PriceTable, DatedNameCostsWhatItsFamilyDoes) {
  const PriceTable prices;

  EXPECT_EQ(prices.find("gpt-4o-mini-2024-07-18"), prices.find("gpt-4o-mini"));
  EXPECT_NE(prices.find("gpt-4o-mini"), prices.find("gpt-4o"));
  EXPECT_EQ(prices.find("gpt-4omni"), std::nullopt);
}

TEST(PriceTable, UnknownModelCostsNothingRatherThanAGuess) {
  EXPECT_EQ(PriceTable().cost_usd("nobody-knows", {.prompt_tokens = 1'000'000}), 0);
}

TEST(PriceTable, ProvidersOwnPriceGoesBeforeTheModels) {
  PriceTable prices;
  prices.set("near/m",
             {.input_usd_per_mtok = 1, .cached_input_usd_per_mtok = 1, .output_usd_per_mtok = 1});
  prices.set("m",
             {.input_usd_per_mtok = 2, .cached_input_usd_per_mtok = 2, .output_usd_per_mtok = 2});

  EXPECT_EQ(prices.find("near", "m")->input_usd_per_mtok, 1);
  EXPECT_EQ(prices.find("far", "m")->input_usd_per_mtok, 2);
  EXPECT_EQ(prices.find("m")->input_usd_per_mtok, 2);
}

TEST(PriceTable, UsersPriceOfAModelHoldsWhereverItIsServed) {
  PriceTable prices;
  prices.set("gpt-4o",
             {.input_usd_per_mtok = 7, .cached_input_usd_per_mtok = 7, .output_usd_per_mtok = 7});

  EXPECT_EQ(prices.find("openai", "gpt-4o")->input_usd_per_mtok, 7);
}

TEST(PriceTable, BatchCostsTheShareThatItsProviderSaysAndItsModelBetterKnows) {
  Catalogue catalogue;
  ASSERT_TRUE(catalogue.add(R"([[provider]]
name = "near"
base_url = "https://near.example/v1"
batch_price_factor = 0.3
models = [{ name = "m", input = 1.0, output = 10.0 },
          { name = "odd", input = 1.0, output = 10.0, batch_price_factor = 0.9 }]

[[provider]]
name = "far"
base_url = "https://far.example/v1"
models = [{ name = "m", input = 2.0, output = 20.0 }])",
                            "providers.toml"));
  PriceTable prices(catalogue);
  const chat::Usage usage{.prompt_tokens = 1'000'000, .completion_tokens = 100'000};

  EXPECT_DOUBLE_EQ(prices.batch_cost_usd("near", "m", usage), 0.3 * 2);
  EXPECT_DOUBLE_EQ(prices.batch_cost_usd("near", "odd", usage), 0.9 * 2);
  EXPECT_DOUBLE_EQ(prices.batch_cost_usd("far", "m", usage), 4);  // nothing is said: no discount
  EXPECT_EQ(prices.batch_price_factor("nobody", "m"), 1);
  prices.set("near/m", {.input_usd_per_mtok = 4, .output_usd_per_mtok = 40});
  EXPECT_DOUBLE_EQ(prices.batch_cost_usd("near", "m", usage), 0.3 * 8);  // the user's own price
}

TEST(PriceTable, UsageThatContradictsItselfCostsNoLessThanNothing) {
  const Price price{
      .input_usd_per_mtok = 2, .cached_input_usd_per_mtok = 1, .output_usd_per_mtok = 10};

  EXPECT_GE(cost_usd(price, {.prompt_tokens = 1, .cached_prompt_tokens = 1'000'000}), 0);
}

TEST(PriceTable, TokensWrittenToACacheCostMoreTheLongerTheyAreKept) {
  Price price{.input_usd_per_mtok = 3, .cached_input_usd_per_mtok = 0.3, .output_usd_per_mtok = 15};
  const chat::Usage hour{.prompt_tokens = 1'000'000, .cache_write_1h_tokens = 1'000'000};
  const chat::Usage minutes{.prompt_tokens = 1'000'000, .cache_write_5m_tokens = 1'000'000};

  EXPECT_DOUBLE_EQ(cost_usd(price, hour), 6);
  EXPECT_DOUBLE_EQ(cost_usd(price, minutes), 3.75);
  price.cache_write_1h_usd_per_mtok = 7;
  EXPECT_DOUBLE_EQ(cost_usd(price, hour), 7);
}

}  // namespace
}  // namespace minimill::cloud
