// A wrong prediction costs a bounded wait: predictions wrong by 1/30 to 30 times, never learnt from
// by whoever makes them, against one queue with as many workers and the same services, as the
// report of a run compares them.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "replay/arrangement.h"

namespace minimill::replay {
namespace {

using chat::Lane;

constexpr lane::PerLane<int> kWorkers{2, 4};
constexpr double kShareEasy = 0.78;
constexpr double kHard = 1.5;  // times as long in the cloud as an easy one
constexpr double kUsd = 0.0005;

enum class Wrong { kNowhere, kEachTask, kEachLane, kEachOperation };

/// Which seed, how busy, and what is wrong about the predictions.
struct World {
  unsigned seed = 0;
  double load = 0.5;  // of the most that the workers could carry out
  Wrong wrong = Wrong::kNowhere;
  int tasks = 1000;
};

/// The most tasks a second: as many easy ones on the device as it can take, the rest in the cloud.
double most_per_s(double local_s, double cloud_s) {
  double low = 0;
  double high = 1e4;
  for (int i = 0; i < 60; ++i) {
    const double rate = (low + high) / 2;
    const double on_device = std::min(rate * kShareEasy, kWorkers[0] / local_s);
    const double cloud_work =
        (rate * kShareEasy - on_device) * cloud_s + rate * (1 - kShareEasy) * kHard * cloud_s;
    (cloud_work <= kWorkers[1] ? low : high) = rate;
  }
  return low;
}

std::vector<SimulatedTask> tasks_of(const World& world) {
  constexpr int kOperations = 8;
  std::mt19937_64 random(world.seed);
  std::uniform_real_distribution<double> even(-1, 1);
  std::exponential_distribution<double> size(1);
  const auto wrong_by = [&] { return std::pow(30.0, even(random)); };
  lane::PerLane<double> of_lane{wrong_by(), wrong_by()};
  std::array<lane::PerLane<double>, kOperations> of_operation;
  for (lane::PerLane<double>& each : of_operation) each = {wrong_by(), wrong_by()};
  // A device from quick to hopeless beside a cloud that is quick or not.
  const double local_s = 4 * std::pow(8.0, even(random));
  const double cloud_s = 2 * std::pow(4.0, even(random));
  std::exponential_distribution<double> between(world.load * most_per_s(local_s, cloud_s));
  double at_s = 0;
  std::vector<SimulatedTask> tasks(static_cast<std::size_t>(world.tasks));
  for (SimulatedTask& task : tasks) {
    at_s += between(random);
    task.arrives_s = at_s;
    task.priority = lane::Priority::kInteractive;
    const double drawn = size(random);
    const auto operation = random() % kOperations;
    const auto service = [&](Lane lane, double mean_s, double usd) {
      const auto index = static_cast<std::size_t>(chat::index(lane));
      double by = 1;
      if (world.wrong == Wrong::kEachTask) by = wrong_by();
      if (world.wrong == Wrong::kEachLane) by = of_lane[index];
      if (world.wrong == Wrong::kEachOperation) by = of_operation[operation][index];
      return Service{.drawn_s = mean_s * drawn, .predicted_s = mean_s * by, .usd = usd};
    };
    if (static_cast<double>(random() % 100) < 100 * kShareEasy) {
      task.in = {service(Lane::kLocal, local_s, 0), service(Lane::kCloud, cloud_s, kUsd)};
    } else {
      task.lane = Lane::kCloud;
      task.in = {std::nullopt, service(Lane::kCloud, kHard * cloud_s, kUsd)};
    }
  }
  return tasks;
}

struct Ages {
  double ours_s = 0;
  double one_queue_s = 0;  // the same services, each as long as it was where it ran
};

Ages ages_in(const World& world) {
  Arranged arranged = arrange(Arrangement::kMinimill, tasks_of(world), kWorkers);
  const std::vector<Served> served = simulate(std::move(arranged.tasks), arranged.options);
  std::vector<SimulatedTask> same;
  for (const Served& each : served) {
    SimulatedTask& task = same.emplace_back();
    task.arrives_s = each.arrived_s;
    task.in[0] = Service{.drawn_s = each.ended_s - each.started_s};
  }
  return {
      .ours_s = summary(served).mean_queue_age_s,
      .one_queue_s =
          summary(simulate_one_queue(std::move(same), kWorkers[0] + kWorkers[1])).mean_queue_age_s};
}

class WrongPredictions : public testing::TestWithParam<Wrong> {};

TEST_P(WrongPredictions, WaitIsBoundedByThatOfOneQueueOnEverySeed) {
  for (unsigned seed = 0; seed < 100; ++seed) {
    for (const double load : {0.3, 0.6, 0.8}) {
      const Ages ages = ages_in({.seed = seed, .load = load, .wrong = GetParam()});
      EXPECT_LE(ages.ours_s, 2 * ages.one_queue_s + 0.5) << "seed " << seed << ", load " << load;
    }
  }
}

/// Before anything has ended: there is no time to learn in.
TEST_P(WrongPredictions, WaitIsBoundedWhileNothingIsKnown) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    const Ages ages = ages_in({.seed = seed, .load = 0.5, .wrong = GetParam(), .tasks = 60});
    EXPECT_LE(ages.ours_s, 2 * ages.one_queue_s + 0.5) << "seed " << seed;
  }
}

std::string name_of(const testing::TestParamInfo<Wrong>& named) {
  constexpr std::array kNames{"Nowhere", "EachTask", "EachLane", "EachOperation"};
  return kNames[static_cast<std::size_t>(named.param)];
}

INSTANTIATE_TEST_SUITE_P(By, WrongPredictions,
                         testing::Values(Wrong::kNowhere, Wrong::kEachTask, Wrong::kEachLane,
                                         Wrong::kEachOperation),
                         name_of);

}  // namespace
}  // namespace minimill::replay
