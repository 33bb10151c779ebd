#pragma once

// The scheduler under a simulated clock: what would the same work have done in another arrangement?

#include <string>
#include <vector>

#include "chat/decision.h"
#include "lane/scheduler.h"

namespace minimill::replay {

/// A task's time in a lane: what it takes, and what the scheduler is told of it.
struct Service {
  double drawn_s = 0;
  double predicted_s = 0;
  double usd = 0;
};

struct SimulatedTask {
  double arrives_s = 0;
  chat::Lane lane = chat::Lane::kLocal;      // where it belongs
  lane::PerLane<std::optional<Service>> in;  // where it may run; in `lane` always
  lane::Priority priority = lane::Priority::kBackground;
  std::string app;
  std::optional<double> deadline_s;  // on the same clock as arrives_s
};

/// How a task fared.
struct Served {
  double arrived_s = 0;
  double started_s = 0;
  double ended_s = 0;
  double predicted_s = 0;  // in the lane it belonged to
  chat::Lane belongs = chat::Lane::kLocal;
  chat::Lane ran = chat::Lane::kLocal;
  double usd = 0;

  double age_s() const { return started_s - arrived_s; }
  double duration_s() const { return ended_s - arrived_s; }
};

struct SimulatedResult {
  double mean_duration_s = 0;  // arrival to answer
  double p95_duration_s = 0;
  double mean_queue_age_s = 0;  // arrival to start
  double p95_queue_age_s = 0;
  double throughput_per_h = 0;  // tasks over the time from first arrival to last answer
};

/// Runs the tasks through a Scheduler with these options, whose queues are made as long as need be;
/// the result is in the order in which they ended. Tasks whose lanes have no slots never end, and
/// are left out.
std::vector<Served> simulate(std::vector<SimulatedTask> tasks, lane::SchedulerOptions options);

SimulatedResult summary(const std::vector<Served>& served);

/// The world to compare with: every task, each with its time in its own lane, through one queue,
/// first come first served, with `workers` workers, at least one.
std::vector<Served> simulate_one_queue(std::vector<SimulatedTask> tasks, int workers);

}  // namespace minimill::replay
