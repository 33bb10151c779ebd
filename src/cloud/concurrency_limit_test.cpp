#include "cloud/concurrency_limit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <deque>
#include <random>
#include <vector>

namespace minimill::cloud {
namespace {

using namespace std::chrono_literals;

class ConcurrencyLimitTest : public testing::Test {
 protected:
  using Permits = std::vector<ConcurrencyLimit::Permit>;

  /// As many as there is room for, `wanted` at most.
  Permits begin(int wanted) {
    Permits permits;
    for (int i = 0; i < wanted && limit_.in_flight() < limit_.limit(); ++i) {
      permits.push_back(limit_.begin(clock_.steady()));
    }
    return permits;
  }
  void accept(const Permits& permits) {
    for (const auto& permit : permits) {
      limit_.accepted(permit, std::nullopt, clock_.steady());
      limit_.end();
    }
  }
  ConcurrencyLimit::Refusal refuse(const ConcurrencyLimit::Permit& permit) {
    const auto refusal = limit_.refused(permit);
    limit_.end();
    return refusal;
  }
  /// A round trip at a provider that takes `takes` at once of `wanted`; how many it refused.
  int round(int takes, int wanted) {
    const Permits permits = begin(wanted);
    int refused = 0;
    for (std::size_t i = static_cast<std::size_t>(takes); i < permits.size(); ++i) {
      (void)refuse(permits[i]);
      ++refused;
    }
    accept(
        {permits.begin(), permits.begin() + std::min<std::ptrdiff_t>(takes, std::ssize(permits))});
    return refused;
  }

  ManualClock clock_;
  ConcurrencyLimit limit_;
};

TEST_F(ConcurrencyLimitTest, GrowsWhileAllIsWell) {
  ASSERT_EQ(limit_.limit(), 256);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(round(1'000'000, 100'000), 0);

  EXPECT_GE(limit_.limit(), 1'000);
}

TEST_F(ConcurrencyLimitTest, NeverGrowsWithoutBound) {
  for (int i = 0; i < 100; ++i) round(1'000'000, 100'000);
  EXPECT_EQ(limit_.limit(), ConcurrencyLimit::kHighest);
}

TEST_F(ConcurrencyLimitTest, DoesNotGrowWhileItIsNotUsed) {
  for (int i = 0; i < 100; ++i) round(1'000'000, 100);
  EXPECT_EQ(limit_.limit(), 256);
}

TEST_F(ConcurrencyLimitTest, RefusalHalvesWhatWasUnderWay) {
  const Permits permits = begin(64);

  EXPECT_TRUE(refuse(permits.back()).crowded);

  EXPECT_EQ(limit_.limit(), 32);
}

TEST_F(ConcurrencyLimitTest, HalvesAtMostOncePerRoundTrip) {
  const Permits permits = begin(64);

  for (const auto& permit : permits) (void)refuse(permit);

  EXPECT_EQ(limit_.limit(), 32);
  (void)refuse(begin(1).front());
  EXPECT_LT(limit_.limit(), 32);
}

TEST_F(ConcurrencyLimitTest, NeverUnderOne) {
  for (int i = 0; i < 50; ++i) {
    const Permits permits = begin(8);
    ASSERT_FALSE(permits.empty()) << i;
    for (const auto& permit : permits) (void)refuse(permit);
    ASSERT_GE(limit_.limit(), 1);
  }
  EXPECT_EQ(limit_.limit(), 1);
}

TEST_F(ConcurrencyLimitTest, RecoversOnceTheProviderTakesMoreAgain) {
  for (int i = 0; i < 50; ++i) round(2, 500);
  ASSERT_LE(limit_.limit(), 4);

  int rounds = 0;
  while (limit_.limit() < 256 && rounds < 100) {
    round(1'000'000, 500);
    ++rounds;
  }

  EXPECT_LE(rounds, 30);
}

TEST_F(ConcurrencyLimitTest, SettlesAtWhatAProviderTakesAndSeldomAsksForMore) {
  for (const int takes : {1, 2, 8, 30, 200}) {
    limit_ = ConcurrencyLimit();
    for (int i = 0; i < 30; ++i) round(takes, 500);
    int refused = 0;
    int sent = 0;
    int taken = 0;
    constexpr int kRounds = 200;
    for (int i = 0; i < kRounds; ++i) {
      const int wanted = limit_.limit();
      sent += wanted;
      const int no = round(takes, 500);
      refused += no;
      taken += wanted - no;
    }
    EXPECT_GE(taken, 0.75 * takes * kRounds) << takes;
    EXPECT_LE(refused, takes < 4 ? 0.3 * sent : 0.06 * sent) << takes;
  }
}

TEST_F(ConcurrencyLimitTest, LoneRequestsRefusalSaysHowLongToPauseAndThePausesDouble) {
  std::vector<Millis> pauses;
  for (int i = 0; i < 8; ++i) {
    const auto refusal = refuse(begin(1).front());
    EXPECT_FALSE(refusal.crowded);
    pauses.push_back(refusal.pause);
  }
  EXPECT_EQ(pauses[0], 1s);
  EXPECT_EQ(pauses[1], 2s);
  EXPECT_EQ(pauses[7], ConcurrencyLimit::kLongestPause);

  accept(begin(1));
  EXPECT_EQ(refuse(begin(1).front()).pause, 1s);
}

TEST_F(ConcurrencyLimitTest, LoneRequestsRefusalIsNotTakenForTooManyAtOnce) {
  (void)refuse(begin(1).front());
  EXPECT_EQ(limit_.limit(), 128);
}

TEST_F(ConcurrencyLimitTest, NumberThatTheUserSetIsNeverExceededFromTheFirstRequestOn) {
  limit_ = ConcurrencyLimit(4);
  EXPECT_EQ(limit_.limit(), 4);
  for (int i = 0; i < 50; ++i) round(1'000'000, 500);
  EXPECT_EQ(limit_.limit(), 4);
  round(2, 500);
  EXPECT_EQ(limit_.limit(), 2);
  for (int i = 0; i < 50; ++i) round(1'000'000, 500);
  EXPECT_EQ(limit_.limit(), 4);
}

/// A provider of `slots` that queues the rest, seen at random loads; answers vary by exp(σ ·
/// normal).
void observe(LatencyProfile& profile, ManualClock& clock, int slots, double sigma, unsigned seed,
             int answers) {
  std::mt19937 random(seed);
  std::normal_distribution<> normal;
  std::uniform_int_distribution<> load(0, 8);
  for (int i = 0; i < answers; ++i) {
    const int at_once = 1 << load(random);
    const double queueing = std::max(1.0, static_cast<double>(at_once) / slots);
    const double took = 3 * queueing * std::exp(sigma * normal(random));
    clock.advance(100ms);
    profile.add(at_once, took / 3, std::chrono::nanoseconds{static_cast<std::int64_t>(took * 1e9)},
                clock.steady());
  }
}

TEST(LatencyProfile, KneeOfAProviderThatQueuesIsFound) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    ManualClock clock;
    LatencyProfile profile;
    observe(profile, clock, 8, 0.4, seed, 4'000);

    const std::optional<int> knee = profile.knee(clock.steady());
    ASSERT_TRUE(knee) << "seed " << seed;
    EXPECT_GE(*knee, 8) << "seed " << seed;
    EXPECT_LE(*knee, 32) << "seed " << seed;
  }
}

TEST(LatencyProfile, NoiseAloneIsNoKnee) {
  for (unsigned seed = 0; seed < 50; ++seed) {
    ManualClock clock;
    LatencyProfile profile;
    for (int i = 0; i < 100; ++i) {
      observe(profile, clock, 1'000'000, 1.0, 1'000 * seed + static_cast<unsigned>(i), 40);
      ASSERT_FALSE(profile.knee(clock.steady())) << "seed " << seed << ", look " << i;
    }
  }
}

TEST(LatencyProfile, SlowerHourForAllLoadsIsNoKnee) {
  ManualClock clock;
  LatencyProfile profile;
  for (int i = 0; i < 500; ++i) profile.add(1 << (i % 8), 1, 1s, clock.steady());
  for (int i = 0; i < 500; ++i) profile.add(1 << (i % 8), 5, 5s, clock.steady());
  EXPECT_FALSE(profile.knee(clock.steady()));
}

TEST(LatencyProfile, QueueingThatCostsLessThanASecondIsNotWorthHoldingBackFor) {
  ManualClock clock;
  LatencyProfile profile;
  for (int i = 0; i < 800; ++i) {
    profile.add(1 << (i % 8), 1 << (i % 8), 4ms * (1 << (i % 8)), clock.steady());
  }
  EXPECT_FALSE(profile.knee(clock.steady()));
}

TEST(LatencyProfile, KneeIsForgottenOnceItIsOld) {
  ManualClock clock;
  LatencyProfile profile;
  observe(profile, clock, 8, 0.1, 1, 2'000);
  ASSERT_TRUE(profile.knee(clock.steady()));
  clock.advance(std::chrono::hours{1});
  EXPECT_FALSE(profile.knee(clock.steady()));
}

TEST(LatencyProfile, NonsenseIsNotTakenIn) {
  ManualClock clock;
  LatencyProfile profile;
  for (const double slowdown : {0.0, -1.0, std::nan(""), HUGE_VAL}) {
    profile.add(0, slowdown, 1s, clock.steady());
    profile.add(1 << 30, slowdown, 1s, clock.steady());
  }
  profile.add(1 << 30, 1, 1s, clock.steady());
  profile.add(-5, 1, 1s, clock.steady());
  EXPECT_FALSE(profile.knee(clock.steady()));
}

/// A provider of 8 slots that never refuses and queues what is more: 64 wait there, or here.
TEST_F(ConcurrencyLimitTest, ProviderThatQueuesIsSentNoMoreThanKeepsItBusy) {
  struct Sent {
    ConcurrencyLimit::Permit permit;
    SteadyTime done;
  };
  std::deque<Sent> under_way;
  std::mt19937 random(7);
  std::lognormal_distribution<> noise(0, 0.2);
  std::vector<SteadyTime> slot_free(8, clock_.steady());
  std::uniform_int_distribution<> wanted(1, 64);
  int served = 0;
  int looks = 0;
  int high = 0;
  for (int burst = 0; burst < 200; ++burst) {
    int left = wanted(random);
    while (left > 0 || !under_way.empty()) {
      while (left > 0 && limit_.in_flight() < limit_.limit()) {
        auto slot = std::ranges::min_element(slot_free);
        const auto service =
            std::chrono::nanoseconds{static_cast<std::int64_t>(2e9 * noise(random))};
        *slot = std::max(*slot, clock_.steady()) + service;
        under_way.push_back({limit_.begin(clock_.steady()), *slot});
        --left;
      }
      auto next = std::ranges::min_element(under_way, {}, &Sent::done);
      clock_.advance(std::chrono::ceil<Millis>(std::max(next->done - clock_.steady(), 0ns)));
      const double took =
          std::chrono::duration<double>(clock_.steady() - next->permit.began).count();
      limit_.accepted(next->permit, took / 2, clock_.steady());
      limit_.end();
      under_way.erase(next);
      ++served;
    }
    if (burst >= 50) {
      ++looks;
      high += limit_.limit() > 32 ? 1 : 0;
    }
  }
  EXPECT_GE(limit_.limit(), 8);
  EXPECT_LE(high, looks / 10);  // it tries now and then whether more are taken by now
  EXPECT_GT(served, 1'000);
}

}  // namespace
}  // namespace minimill::cloud
