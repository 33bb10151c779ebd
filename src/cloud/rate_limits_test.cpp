#include "cloud/rate_limits.h"

#include <gtest/gtest.h>

namespace minimill::cloud {
namespace {

using std::chrono::seconds;

constexpr std::int64_t kNewYear2026_ms = 1'767'225'600'000;  // 2026-01-01T00:00:00Z

TEST(RateLimits, OpenAisDurationsAreRead) {
  EXPECT_EQ(parse_reset("1s"), Millis{1'000});
  EXPECT_EQ(parse_reset("20ms"), Millis{20});
  EXPECT_EQ(parse_reset("0m6.5s"), Millis{6'500});
  EXPECT_EQ(parse_reset("2"), Millis{2'000});
  EXPECT_EQ(parse_reset("1h2m3.5s"), kMaxClosed);
  EXPECT_EQ(parse_reset("6m0s"), kMaxClosed);
  for (const char* wrong : {"", "s", "1x", "1s2", "-1h", "1.2.3s", "ms"}) {
    EXPECT_FALSE(parse_reset(wrong) && *parse_reset(wrong) > Millis{0}) << wrong;
  }
}

TEST(RateLimits, OpenAisHeadersAreRead) {
  const http::Headers headers{{"x-ratelimit-limit-requests", "60"},
                              {"x-ratelimit-remaining-requests", "15"},
                              {"x-ratelimit-reset-requests", "30s"},
                              {"x-should-retry", "false"}};

  const RateLimits limits = read_rate_limits(headers, {});

  ASSERT_TRUE(limits.requests);
  EXPECT_EQ(*limits.requests, (RateWindow{.limit = 60, .remaining = 15, .reset = seconds{30}}));
  EXPECT_FALSE(limits.tokens);
  EXPECT_EQ(limits.should_retry, false);
}

TEST(RateLimits, AnthropicsHeadersAreRead) {
  const http::Headers headers{
      {"anthropic-ratelimit-input-tokens-limit", "1000"},
      {"anthropic-ratelimit-input-tokens-remaining", "250"},
      {"anthropic-ratelimit-input-tokens-reset", "2026-01-01T01:00:20+01:00"},
      {"anthropic-ratelimit-requests-limit", "50"},
      {"anthropic-ratelimit-requests-remaining", "50"},
      {"anthropic-ratelimit-requests-reset", "2026-01-01T00:00:01Z"},
      {"retry-after", "7"}};

  const RateLimits limits = read_rate_limits(headers, from_unix_ms(kNewYear2026_ms));

  ASSERT_TRUE(limits.input_tokens && limits.requests);
  EXPECT_EQ(limits.input_tokens->reset, seconds{20});
  EXPECT_EQ(limits.requests->reset, seconds{1});
  EXPECT_EQ(limits.retry_after, seconds{7});
}

TEST(RateLimits, HeadersThatLieCloseAProviderForAMinuteAtMost) {
  const std::vector<http::Headers> lies{
      {{"retry-after", "31536000"}},
      {{"retry-after-ms", "1e300"}},
      {{"x-ratelimit-limit-requests", "10"},
       {"x-ratelimit-remaining-requests", "-5"},
       {"x-ratelimit-reset-requests", "8760h"}},
      {{"anthropic-ratelimit-tokens-limit", "10"},
       {"anthropic-ratelimit-tokens-remaining", "0"},
       {"anthropic-ratelimit-tokens-reset", "2027-01-01T00:00:00Z"}}};
  for (const http::Headers& lie : lies) {
    RateHeadroom headroom;
    const SteadyTime now{seconds{100}};
    headroom.note(read_rate_limits(lie, from_unix_ms(kNewYear2026_ms)), now);

    EXPECT_GT(headroom.next_at(now, 1'000'000), now);
    EXPECT_LE(headroom.next_at(now, 1'000'000), now + kMaxClosed);
    EXPECT_EQ(headroom.headroom(now + kMaxClosed), 1);
  }
}

TEST(RateLimits, NonsenseIsPassedOver) {
  const http::Headers nonsense{{"x-ratelimit-limit-requests", "many"},
                               {"x-ratelimit-remaining-requests", "nan"},
                               {"x-ratelimit-limit-tokens", "0"},
                               {"x-ratelimit-remaining-tokens", "5"},
                               {"anthropic-ratelimit-tokens-reset", "yesterday"},
                               {"retry-after", "soon"},
                               {"x-should-retry", "perhaps"}};

  EXPECT_EQ(read_rate_limits(nonsense, {}), RateLimits{});
}

TEST(RateLimits, MoreLeftThanThereIsMeansAllOfIt) {
  const http::Headers headers{{"x-ratelimit-limit-requests", "10"},
                              {"x-ratelimit-remaining-requests", "99"},
                              {"x-ratelimit-reset-requests", "1s"}};

  EXPECT_EQ(read_rate_limits(headers, {}).requests->remaining, 10);
}

TEST(RateHeadroom, RequestsThatAreNotAnsweredYetCount) {
  RateHeadroom headroom;
  const SteadyTime now{seconds{100}};
  headroom.note({.requests = RateWindow{.limit = 4, .remaining = 2, .reset = seconds{8}}}, now);

  EXPECT_DOUBLE_EQ(headroom.headroom(now), 0.5);
  headroom.spend(10);
  headroom.spend(10);
  EXPECT_EQ(headroom.headroom(now), 0);
  EXPECT_EQ(headroom.next_at(now, 10), now + seconds{2});  // a quarter of the eight
  EXPECT_DOUBLE_EQ(headroom.headroom(now + seconds{4}), 0.5);
}

TEST(RateHeadroom, PromptLargerThanTheLimitIsLeftToTheProvider) {
  RateHeadroom headroom;
  const SteadyTime now{seconds{100}};
  headroom.note({.tokens = RateWindow{.limit = 100, .remaining = 100, .reset = seconds{1}}}, now);

  EXPECT_EQ(headroom.next_at(now, 5'000), now);
}

}  // namespace
}  // namespace minimill::cloud
