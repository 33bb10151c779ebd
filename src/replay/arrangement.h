#pragma once

// Ways to arrange the same work and the same workers, to be compared by simulation.

#include <string_view>
#include <vector>

#include "replay/simulate.h"

namespace minimill::replay {

enum class Arrangement {
  kOneQueue,    // everything through the cloud, first come first served: before minimill
  kTwoLanes,    // easy work local, hard work in the cloud, each first come first served
  kMinimill,    // the scheduler as it is
  kKnownTimes,  // the same, told how long each task will really take: what predictions cost
};
inline constexpr Arrangement kArrangements[] = {Arrangement::kOneQueue, Arrangement::kTwoLanes,
                                                Arrangement::kMinimill, Arrangement::kKnownTimes};

std::string_view name(
    Arrangement arrangement);  // "one-queue", "two-lanes", "minimill", "known-times"
Result<Arrangement> parse_arrangement(std::string_view text);

struct Arranged {
  std::vector<SimulatedTask> tasks;
  lane::SchedulerOptions options;
};
/// `workers` are those of both lanes; one queue has them all. `base` says what waiting and running
/// cost.
Arranged arrange(Arrangement arrangement, std::vector<SimulatedTask> tasks,
                 lane::PerLane<int> workers, const lane::SchedulerOptions& base = {});

}  // namespace minimill::replay
