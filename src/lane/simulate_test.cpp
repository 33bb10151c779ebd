#include "lane/simulate.h"

#include <gtest/gtest.h>

#include <random>

namespace minimill::lane {
namespace {

using route::Lane;

TEST(Simulate, OneQueueMakesTheQuickWaitForTheSlow) {
  const std::vector<SimulatedTask> tasks{{.arrives_s = 0, .service_s = 10, .lane = Lane::kCloud},
                                         {.arrives_s = 1, .service_s = 1, .lane = Lane::kLocal}};

  const SimulatedResult one = simulate_one_queue(tasks, 1);
  const SimulatedResult two = simulate(tasks, {.slots = {1, 1}, .max_queued = {}});

  EXPECT_DOUBLE_EQ(one.mean_queue_age_s, 4.5);  // 0 and 9
  EXPECT_DOUBLE_EQ(one.mean_duration_s, 10);    // 10 and 10
  EXPECT_DOUBLE_EQ(two.mean_queue_age_s, 0);
  EXPECT_DOUBLE_EQ(two.mean_duration_s, 5.5);
}

TEST(Simulate, AgreesWithTheoryForOneServer) {
  // M/M/1 at a load of one half: the mean time in the system is service / (1 - load).
  std::mt19937_64 random(7);
  std::exponential_distribution<double> between(0.5);
  std::exponential_distribution<double> service(1.0);
  std::vector<SimulatedTask> tasks;
  double at = 0;
  for (int i = 0; i < 200'000; ++i) {
    at += between(random);
    tasks.push_back({.arrives_s = at, .service_s = service(random), .lane = Lane::kLocal});
  }

  const SimulatedResult result = simulate_one_queue(std::move(tasks), 1);

  EXPECT_NEAR(result.mean_duration_s, 2.0, 0.1);
  EXPECT_NEAR(result.mean_queue_age_s, 1.0, 0.1);
}

TEST(Simulate, NothingTakesNoTime) { EXPECT_EQ(simulate_one_queue({}, 1).mean_duration_s, 0); }

}  // namespace
}  // namespace minimill::lane
