#include "lane/simulate.h"

#include <algorithm>
#include <limits>
#include <queue>
#include <utility>

#include "lane/quantile.h"

namespace minimill::lane {
namespace {

struct Completion {
  double at_s;
  TicketId ticket;
  bool operator>(const Completion& other) const { return at_s > other.at_s; }
};

class Simulation {
 public:
  Simulation(std::vector<SimulatedTask> tasks, const SchedulerOptions& options, Priority priority)
      : tasks_(std::move(tasks)),
        scheduler_(options),
        priority_(priority),
        started_(tasks_.size()) {
    std::ranges::stable_sort(tasks_, {}, &SimulatedTask::arrives_s);
  }

  SimulatedResult run() {
    std::size_t next = 0;
    while (next < tasks_.size() || !completions_.empty()) {
      const double arrival =
          next < tasks_.size() ? tasks_[next].arrives_s : std::numeric_limits<double>::infinity();
      if (!completions_.empty() && completions_.top().at_s <= arrival) {
        complete();
      } else {
        now_s_ = arrival;
        // Cannot be refused: the queue is as long as the tasks are many.
        (void)scheduler_.enqueue(next, tasks_[next].lane, priority_);
        ++next;
      }
      start_all();
    }
    return summary();
  }

 private:
  void complete() {
    const Completion done = completions_.top();
    completions_.pop();
    now_s_ = done.at_s;
    scheduler_.finish(done.ticket);
    durations_.push_back(now_s_ - tasks_[done.ticket].arrives_s);
    ages_.push_back(started_[done.ticket] - tasks_[done.ticket].arrives_s);
  }

  void start_all() {
    for (const route::Lane lane : {route::Lane::kLocal, route::Lane::kCloud}) {
      while (const std::optional<TicketId> ticket = scheduler_.start_next(lane)) {
        started_[*ticket] = now_s_;
        completions_.push({now_s_ + tasks_[*ticket].service_s, *ticket});
      }
    }
  }

  SimulatedResult summary() {
    if (durations_.empty()) return {};
    constexpr double kHour = 3600;
    constexpr double kP95 = 0.95;
    const double span_s = now_s_ - tasks_.front().arrives_s;
    return {.mean_duration_s = mean(durations_),
            .p95_duration_s = quantile(durations_, kP95),
            .mean_queue_age_s = mean(ages_),
            .p95_queue_age_s = quantile(ages_, kP95),
            .throughput_per_h =
                span_s > 0 ? kHour * static_cast<double>(durations_.size()) / span_s : 0};
  }

  std::vector<SimulatedTask> tasks_;
  Scheduler scheduler_;
  Priority priority_;
  std::vector<double> started_;
  std::priority_queue<Completion, std::vector<Completion>, std::greater<>> completions_;
  std::vector<double> durations_;
  std::vector<double> ages_;
  double now_s_ = 0;
};

}  // namespace

SimulatedResult simulate(std::vector<SimulatedTask> tasks, const SchedulerOptions& options,
                         Priority priority) {
  SchedulerOptions unbounded = options;
  unbounded.max_queued = {tasks.size(), tasks.size()};
  return Simulation(std::move(tasks), unbounded, priority).run();
}

SimulatedResult simulate_one_queue(std::vector<SimulatedTask> tasks, int workers) {
  for (SimulatedTask& task : tasks) task.lane = route::Lane::kCloud;
  // The slot that is kept free of background work is kept for apps; this world has none.
  return simulate(std::move(tasks), {.slots = {0, std::max(workers, 1)}, .max_queued = {}},
                  Priority::kInteractive);
}

}  // namespace minimill::lane
