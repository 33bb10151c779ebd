#include "cloud/choice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cloud/pass_record.h"

namespace minimill::cloud {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Facts facts(std::string name, double expected_s, double price_usd) {
  Facts facts;
  facts.name = std::move(name);
  facts.expected_s = expected_s;
  facts.known = 50;
  facts.price_usd = price_usd;
  return facts;
}

Preference preference(std::string_view text) { return *parse_preference(text); }

TEST(Choice, FastAndCheapPickDifferently) {
  const std::vector<Facts> two{facts("quick", 0.5, 0.01), facts("thrifty", 2, 0.001)};

  EXPECT_EQ(choose(two, preference("fast"), kQualityMargin).order.front(), 0U);
  EXPECT_EQ(choose(two, preference("cheap"), kQualityMargin).order.front(), 1U);
}

TEST(Choice, SteadyTakesTheOneThatSeldomFails) {
  std::vector<Facts> two{facts("quick", 0.5, 0.001), facts("sure", 1, 0.002)};
  two[0].spread = 6;
  two[0].error_rate = 0.2;

  EXPECT_EQ(choose(two, preference("steady"), kQualityMargin).order.front(), 1U);
  EXPECT_EQ(choose(two, preference("cheap"), kQualityMargin).order.front(), 0U);
}

TEST(Choice, ExplainsItselfInOneLine) {
  const std::vector<Facts> two{facts("groq", 0.4, 0.0002), facts("openai", 0.52, 0.0002)};

  EXPECT_EQ(choose(two, preference("fast"), kQualityMargin).why,
            "groq: 0.4 s, 0.02 ct, steady; openai 1.3 times slower");
}

TEST(Choice, ProviderThatLittleIsKnownOfIsTried) {
  std::vector<Facts> two{facts("known", 0.5, 0.001), facts("new", 0, 0.001)};
  two[1].known = 0;

  const Choice choice = choose(two, preference("balanced"), kQualityMargin);

  EXPECT_EQ(choice.order.front(), 1U);
  EXPECT_THAT(choice.why, HasSubstr("little is known"));
}

TEST(Choice, OpenBreakerAndRateLimitAreNotAsked) {
  std::vector<Facts> three{facts("down", 0.1, 0), facts("full", 0.1, 0), facts("slow", 9, 1)};
  three[0].breaker = Breaker::kOpen;
  three[0].wait = Millis{12'000};
  three[1].wait = Millis{300};

  const Choice choice = choose(three, preference("fast"), kQualityMargin);

  EXPECT_THAT(choice.order, ElementsAre(2U));
  EXPECT_THAT(choice.why, HasSubstr("down fails, left alone for 12 s"));
  EXPECT_THAT(choice.why, HasSubstr("full at its rate limit for 0.3 s"));
}

TEST(Choice, ModelThatIsNotGoodEnoughIsNotAskedHoweverCheap) {
  std::vector<Facts> two{facts("good", 5, 0.1), facts("poor", 0.1, 0)};
  two[0].quality = 0.9;
  two[1].quality = 0.7;

  EXPECT_THAT(choose(two, preference("cheap"), kQualityMargin).order, ElementsAre(0U));
  EXPECT_EQ(choose(two, preference("cheap"), 0.3).order.front(), 1U);
}

TEST(Choice, UnknownPriceIsTakenForTheDearest) {
  std::vector<Facts> two{facts("listed", 1, 0.01), facts("unlisted", 1, 0)};
  two[1].price_usd.reset();

  EXPECT_EQ(choose(two, preference("cheap"), kQualityMargin).order.front(), 0U);
}

TEST(Choice, NearlyUsedUpLimitIsSpared) {
  std::vector<Facts> two{facts("scarce", 1, 0.01), facts("ample", 1.1, 0.01)};
  two[0].headroom = 0.02;

  EXPECT_EQ(choose(two, preference("balanced"), kQualityMargin).order.front(), 1U);
}

TEST(Choice, NobodyToAskIsNoChoice) {
  EXPECT_TRUE(choose({}, {}, kQualityMargin).order.empty());
  EXPECT_FALSE(parse_preference("best"));
}

TEST(PassRecord, FewFailuresExcludeNobodyAndManyDo) {
  ManualClock clock;
  PassRecord record;
  const double unknown = record.share("m", "op", clock.steady());

  record.note("m", "op", false, clock.steady());
  EXPECT_GE(record.share("m", "op", clock.steady()), unknown - 0.1 - 1e-9);
  for (int i = 0; i < 5; ++i) record.note("m", "op", false, clock.steady());
  EXPECT_LT(record.share("m", "op", clock.steady()), unknown - 0.1);
  EXPECT_EQ(record.share("m", "another", clock.steady()), unknown);

  clock.advance(std::chrono::hours{60 * 24});
  EXPECT_NEAR(record.share("m", "op", clock.steady()), unknown, 0.01);
}

TEST(PassRecord, StaysBounded) {
  ManualClock clock;
  PassRecord record;
  for (std::size_t i = 0; i < PassRecord::kMaxEntries + 10; ++i) {
    record.note("m", std::to_string(i), false, clock.steady());
    clock.advance(Millis{1});
  }
  EXPECT_DOUBLE_EQ(record.share("m", "0", clock.steady()), 0.9);  // forgotten
}

}  // namespace
}  // namespace minimill::cloud
