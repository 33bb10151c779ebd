#pragma once

// The scheduler under a simulated clock: what would the same work have done in another arrangement?

#include <vector>

#include "lane/scheduler.h"
#include "route/decision.h"

namespace minimill::lane {

struct SimulatedTask {
  double arrives_s = 0;
  double service_s = 0;
  route::Lane lane = route::Lane::kLocal;
};

struct SimulatedResult {
  double mean_duration_s = 0;  // arrival to answer
  double p95_duration_s = 0;
  double mean_queue_age_s = 0;  // arrival to start
  double p95_queue_age_s = 0;
  double throughput_per_h = 0;  // tasks over the time from first arrival to last answer
};

/// Runs the tasks, in any order given, through a Scheduler with these slots. Tasks of a lane
/// without slots are left out of the result.
SimulatedResult simulate(std::vector<SimulatedTask> tasks, const SchedulerOptions& options,
                         Priority priority = Priority::kBackground);

/// The world to compare with: every task through one queue with `workers` workers, at least one.
SimulatedResult simulate_one_queue(std::vector<SimulatedTask> tasks, int workers);

}  // namespace minimill::lane
