#include "replay/simulate.h"

#include <algorithm>
#include <limits>
#include <queue>
#include <utility>

#include "lane/quantile.h"

namespace minimill::replay {
namespace {

using chat::Lane;

constexpr double kNever = std::numeric_limits<double>::infinity();

struct Completion {
  double at_s;
  lane::TicketId ticket;
  bool operator>(const Completion& other) const { return at_s > other.at_s; }
};

lane::Job job_of(const SimulatedTask& task) {
  lane::Job job;
  job.lane = task.lane;
  job.priority = task.priority;
  job.app = task.app;
  job.deadline_s = task.deadline_s;
  for (std::size_t lane = 0; lane < job.in.size(); ++lane) {
    if (!task.in[lane]) continue;
    job.in[lane] =
        lane::Estimate{.service_s = task.in[lane]->predicted_s, .usd = task.in[lane]->usd};
  }
  return job;
}

class Simulation {
 public:
  Simulation(std::vector<SimulatedTask> tasks, lane::SchedulerOptions options)
      : tasks_(std::move(tasks)), scheduler_(options), served_(tasks_.size()) {
    std::ranges::stable_sort(tasks_, {}, &SimulatedTask::arrives_s);
  }

  std::vector<Served> run() {
    std::vector<Served> ended;
    ended.reserve(tasks_.size());
    std::size_t next = 0;
    double now_s = 0;
    while (true) {
      const double arrival = next < tasks_.size() ? tasks_[next].arrives_s : kNever;
      const double completion = completions_.empty() ? kNever : completions_.top().at_s;
      const double review = arrival == kNever && completion == kNever
                                ? kNever
                                : scheduler_.review_at(now_s).value_or(kNever);
      if (std::min({arrival, completion, review}) == kNever) return ended;
      now_s = std::min({arrival, completion, review});
      if (completion <= now_s) {
        ended.push_back(complete());
      } else if (arrival <= now_s) {
        // Cannot be refused: the queue is as long as the tasks are many.
        (void)scheduler_.enqueue(next, job_of(tasks_[next]), now_s);
        ++next;
      }
      start_all(now_s);
    }
  }

 private:
  Served complete() {
    const Completion done = completions_.top();
    completions_.pop();
    scheduler_.finish(done.ticket, done.at_s);
    return served_[done.ticket];
  }

  void start_all(double now_s) {
    for (const Lane lane : {Lane::kLocal, Lane::kCloud}) {
      while (const auto next = scheduler_.start_next(lane, now_s)) {
        const SimulatedTask& task = tasks_[next->ticket];
        const Service service = task.in[chat::index(lane)].value_or(Service{});
        served_[next->ticket] = {
            .arrived_s = task.arrives_s,
            .started_s = now_s,
            .ended_s = now_s + service.drawn_s,
            .predicted_s = task.in[chat::index(task.lane)].value_or(Service{}).predicted_s,
            .belongs = task.lane,
            .ran = lane,
            .usd = service.usd};
        completions_.push({now_s + service.drawn_s, next->ticket});
      }
    }
  }

  std::vector<SimulatedTask> tasks_;
  lane::Scheduler scheduler_;
  std::vector<Served> served_;  // by ticket, once started
  std::priority_queue<Completion, std::vector<Completion>, std::greater<>> completions_;
};

}  // namespace

std::vector<Served> simulate(std::vector<SimulatedTask> tasks, lane::SchedulerOptions options) {
  options.max_interactive = tasks.size();
  options.max_background = tasks.size();
  return Simulation(std::move(tasks), options).run();
}

SimulatedResult summary(const std::vector<Served>& served) {
  if (served.empty()) return {};
  std::vector<double> durations;
  std::vector<double> ages;
  double first = kNever;
  double last = -kNever;
  for (const Served& each : served) {
    durations.push_back(each.duration_s());
    ages.push_back(each.age_s());
    first = std::min(first, each.arrived_s);
    last = std::max(last, each.ended_s);
  }
  constexpr double kHour = 3600;
  constexpr double kP95 = 0.95;
  return {.mean_duration_s = lane::mean(durations),
          .p95_duration_s = lane::quantile(durations, kP95),
          .mean_queue_age_s = lane::mean(ages),
          .p95_queue_age_s = lane::quantile(ages, kP95),
          .throughput_per_h =
              last > first ? kHour * static_cast<double>(durations.size()) / (last - first) : 0};
}

std::vector<Served> simulate_one_queue(std::vector<SimulatedTask> tasks, int workers) {
  for (SimulatedTask& task : tasks) {
    // The slot that is kept free of background work is kept for apps; this world has none.
    task.priority = lane::Priority::kInteractive;
    if (task.lane == Lane::kLocal) {
      task.in = {std::nullopt, task.in[chat::index(Lane::kLocal)]};
      task.lane = Lane::kCloud;
    }
  }
  lane::SchedulerOptions options;
  options.slots = {0, std::max(workers, 1)};
  options.order = lane::SchedulerOptions::Order::kFirstCome;
  options.balance = false;
  return simulate(std::move(tasks), options);
}

}  // namespace minimill::replay
