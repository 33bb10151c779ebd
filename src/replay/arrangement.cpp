#include "replay/arrangement.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <utility>

namespace minimill::replay {
namespace {

using chat::Lane;

constexpr std::array<std::string_view, 4> kNames{"one-queue", "two-lanes", "minimill",
                                                 "known-times"};

void put_in_one_queue(std::vector<SimulatedTask>& tasks) {
  for (SimulatedTask& task : tasks) {
    // What has never been in the cloud is taken to be as long there as where it was.
    std::optional<Service>& cloud = task.in[chat::index(Lane::kCloud)];
    if (!cloud) cloud = task.in[chat::index(task.lane)];
    task.in[chat::index(Lane::kLocal)].reset();
    task.lane = Lane::kCloud;
    // The slot that is kept free of background work is kept for apps; this world has none.
    task.priority = lane::Priority::kInteractive;
  }
}

}  // namespace

std::string_view name(Arrangement arrangement) {
  return kNames[static_cast<std::size_t>(arrangement)];
}

Result<Arrangement> parse_arrangement(std::string_view text) {
  for (const Arrangement each : kArrangements) {
    if (name(each) == text) return each;
  }
  return fail_field("scheduler", fmt::format("no scheduler '{}'", text),
                    fmt::format("use {}", fmt::join(kNames, ", ")));
}

Arranged arrange(Arrangement arrangement, std::vector<SimulatedTask> tasks,
                 lane::PerLane<int> workers, const lane::SchedulerOptions& base) {
  Arranged arranged{.tasks = std::move(tasks), .options = base};
  lane::SchedulerOptions& options = arranged.options;
  options.slots = workers;
  switch (arrangement) {
    case Arrangement::kOneQueue:
      put_in_one_queue(arranged.tasks);
      options.slots = {0, workers[0] + workers[1]};
      [[fallthrough]];
    case Arrangement::kTwoLanes:
      options.order = lane::SchedulerOptions::Order::kFirstCome;
      options.balance = false;
      break;
    case Arrangement::kKnownTimes:
      options.times_known = true;
      for (SimulatedTask& task : arranged.tasks) {
        for (std::optional<Service>& service : task.in) {
          if (service) service->predicted_s = service->drawn_s;
        }
      }
      break;
    case Arrangement::kMinimill:
      break;
  }
  return arranged;
}

}  // namespace minimill::replay
