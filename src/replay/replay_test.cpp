#include "replay/replay.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace minimill::replay {
namespace {

using chat::Lane;

/// Steps so far apart that no delay of a busy machine changes who is next: a slow device, a quick
/// cloud, and predictions that are wrong about both.
std::vector<SimulatedTask> slow_device() {
  std::vector<SimulatedTask> tasks;
  for (int i = 0; i < 12; ++i) {
    SimulatedTask& task = tasks.emplace_back();
    task.arrives_s = 40.0 * i;
    if (i % 4 == 3) {
      task.lane = Lane::kCloud;
      task.in = {std::nullopt, Service{.drawn_s = 60, .predicted_s = 200, .usd = 0.008}};
    } else {
      task.in = {Service{.drawn_s = 500, .predicted_s = 90},
                 Service{.drawn_s = 60, .predicted_s = 200, .usd = 0.008}};
    }
  }
  return tasks;
}

std::vector<Served> live(const Arranged& arranged, double speed) {
  boost::asio::io_context io;
  std::vector<Served> served;
  boost::asio::co_spawn(io, replay_live(arranged, speed, {}),
                        [&served](const std::exception_ptr& failure, std::vector<Served> all) {
                          if (failure) std::rethrow_exception(failure);
                          served = std::move(all);
                        });
  io.run();
  std::ranges::sort(served, {}, &Served::arrived_s);
  return served;
}

/// Lanes, as the daemon waits in them, hurried 1,000 times: a second of waiting weighs what it does
/// in life, and it is looked again at those who wait when it would be in life.
TEST(Replay, HurriedRunSchedulesAsASimulatedOneDoes) {
  constexpr double kSpeed = 1000;
  constexpr double kJitter_s = 0.03 * kSpeed;  // of timers on a busy machine
  const Arranged arranged = arrange(Arrangement::kMinimill, slow_device(), {1, 3});
  std::vector<Served> simulated = simulate(arranged.tasks, arranged.options);
  std::ranges::sort(simulated, {}, &Served::arrived_s);

  const std::vector<Served> hurried = live(arranged, kSpeed);

  ASSERT_EQ(hurried.size(), simulated.size());
  EXPECT_TRUE(std::ranges::any_of(simulated, [](const Served& each) {
    return each.belongs == Lane::kLocal && each.ran == Lane::kCloud && each.age_s() > 0;
  }));
  for (std::size_t i = 0; i < hurried.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(hurried[i].ran, simulated[i].ran);
    EXPECT_NEAR(hurried[i].started_s, simulated[i].started_s, kJitter_s);
  }
}

TEST(Replay, TasksLeaveAppsTheirSlotAsInLife) {
  ReplayTask task;
  task.took_s = {5, std::nullopt};

  const std::vector<SimulatedTask> tasks = with_predictions({task});

  EXPECT_EQ(tasks.front().priority, lane::Priority::kBackground);
}

}  // namespace
}  // namespace minimill::replay
