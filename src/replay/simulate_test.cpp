#include "replay/simulate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace minimill::replay {
namespace {

using chat::Lane;

SimulatedTask task_in(Lane lane, double arrives_s, double service_s) {
  SimulatedTask task;
  task.arrives_s = arrives_s;
  task.lane = lane;
  task.in[chat::index(lane)] = Service{.drawn_s = service_s, .predicted_s = service_s};
  return task;
}

TEST(Simulate, OneQueueMakesTheQuickWaitForTheSlow) {
  const std::vector<SimulatedTask> tasks{task_in(Lane::kCloud, 0, 10), task_in(Lane::kLocal, 1, 1)};

  const SimulatedResult one = summary(simulate_one_queue(tasks, 1));
  const SimulatedResult two = summary(simulate(tasks, {.slots = {1, 1}}));

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
    tasks.push_back(task_in(Lane::kLocal, at, service(random)));
  }

  const SimulatedResult result = summary(simulate_one_queue(std::move(tasks), 1));

  EXPECT_NEAR(result.mean_duration_s, 2.0, 0.1);
  EXPECT_NEAR(result.mean_queue_age_s, 1.0, 0.1);
}

TEST(Simulate, NothingTakesNoTime) {
  EXPECT_EQ(summary(simulate_one_queue({}, 1)).mean_duration_s, 0);
}

TEST(Simulate, EveryTaskIsServedOnceUnderAnyLoad) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::exponential_distribution<double> draw(1.0);
    std::vector<SimulatedTask> tasks;
    double at = 0;
    for (int i = 0; i < 500; ++i) {
      at += draw(random) / (1 + seed);
      SimulatedTask task =
          task_in(random() % 4 == 0 ? Lane::kCloud : Lane::kLocal, at, draw(random));
      if (task.lane == Lane::kLocal && random() % 2 == 0) task.in[1] = Service{3, 3, 0.001};
      if (random() % 8 == 0) task.deadline_s = at + draw(random);
      task.priority =
          random() % 3 == 0 ? lane::Priority::kInteractive : lane::Priority::kBackground;
      task.app = std::string(1, static_cast<char>('a' + random() % 3));
      tasks.push_back(std::move(task));
    }

    const std::vector<Served> served = simulate(tasks, {.slots = {1, 2}});

    ASSERT_EQ(served.size(), tasks.size());
    for (const Served& each : served) ASSERT_GE(each.age_s(), 0);
  }
}

}  // namespace
}  // namespace minimill::replay
