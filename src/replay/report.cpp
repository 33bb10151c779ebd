#include "replay/report.h"

#include <algorithm>
#include <map>

#include "lane/quantile.h"
#include "serve/rung.h"

namespace minimill::replay {
namespace {

double seconds_between(WallTime from, WallTime to) {
  return std::chrono::duration<double>(to - from).count();
}

void count_lane(const tasks::Task& task, Figures& figures) {
  const auto count = [](LaneFigures& lane, std::optional<bool> passed, double seconds) {
    if (seconds > 0) ++lane.tried;
    if (passed) ++lane.checked;
    if (passed && *passed) ++lane.passed;
  };
  count(figures.local, task.local_passed, task.local_s);
  count(figures.cloud, task.cloud_passed, task.cloud_s);
  if (task.batched) {  // no time of its own: it says nothing of how long the work took
    ++figures.batched;
    if (task.cloud_s <= 0) ++figures.cloud.tried;
  }
  ++(task.lane == chat::Lane::kLocal ? figures.local : figures.cloud).answered;
  if (task.lane == chat::Lane::kLocal && task.model == serve::kMicroModel) {
    ++figures.by_micro_model;
  }
}

Figures figures_of(const std::vector<const tasks::Task*>& tasks) {
  Figures figures;
  std::vector<double> durations;
  std::vector<double> ages;
  WallTime first = WallTime::max();
  WallTime last = WallTime::min();
  for (const tasks::Task* task : tasks) {
    ++figures.tasks;
    figures.prompt_tokens += task->prompt_tokens;
    figures.completion_tokens += task->completion_tokens;
    figures.cost_usd += task->cost_usd;
    figures.all_cloud_cost_usd += task->all_cloud_cost_usd;
    if (task->escalated) ++figures.escalated;
    if (task->state == tasks::TaskState::kFailed) ++figures.failed;
    if (task->state == tasks::TaskState::kCancelled) ++figures.cancelled;
    if (task->started) ages.push_back(seconds_between(task->due, *task->started));
    if (task->state != tasks::TaskState::kDone || !task->finished) continue;
    ++figures.done;
    count_lane(*task, figures);
    durations.push_back(seconds_between(task->due, *task->finished));
    first = std::min(first, task->due);
    last = std::max(last, *task->finished);
  }
  constexpr double kP95 = 0.95;
  constexpr double kHour = 3600;
  figures.mean_duration_s = lane::mean(durations);
  figures.p95_duration_s = lane::quantile(durations, kP95);
  figures.mean_queue_age_s = lane::mean(ages);
  figures.p95_queue_age_s = lane::quantile(ages, kP95);
  if (figures.done > 0) {
    figures.share_local = static_cast<double>(figures.local.answered) / figures.done;
    const double span_s = seconds_between(first, last);
    if (span_s > 0) figures.throughput_per_h = kHour * figures.done / span_s;
  }
  return figures;
}

/// What the same tasks would have asked of one queue: each its arrival and all its time in service.
std::vector<SimulatedTask> same_work(const std::vector<tasks::Task>& tasks) {
  std::vector<SimulatedTask> work;
  for (const tasks::Task& task : tasks) {
    if (task.state != tasks::TaskState::kDone) continue;
    SimulatedTask& same = work.emplace_back();
    same.arrives_s = seconds_between(WallTime{}, task.due);
    same.lane = task.lane;
    same.in[chat::index(task.lane)] = Service{.drawn_s = task.local_s + task.cloud_s};
  }
  return work;
}

json::object lane_json(const LaneFigures& lane) {
  return {{"answered", lane.answered},
          {"tried", lane.tried},
          {"checked", lane.checked},
          {"passed", lane.passed}};
}

json::object figures_json(const Figures& figures) {
  return {{"tasks", figures.tasks},
          {"done", figures.done},
          {"failed", figures.failed},
          {"cancelled", figures.cancelled},
          {"escalated", figures.escalated},
          {"by_micro_model", figures.by_micro_model},
          {"batched", figures.batched},
          {"share_local", figures.share_local},
          {"local", lane_json(figures.local)},
          {"cloud", lane_json(figures.cloud)},
          {"mean_duration_s", figures.mean_duration_s},
          {"p95_duration_s", figures.p95_duration_s},
          {"mean_queue_age_s", figures.mean_queue_age_s},
          {"p95_queue_age_s", figures.p95_queue_age_s},
          {"throughput_per_h", figures.throughput_per_h},
          {"prompt_tokens", figures.prompt_tokens},
          {"completion_tokens", figures.completion_tokens},
          {"cost_usd", figures.cost_usd},
          {"all_cloud_cost_usd", figures.all_cloud_cost_usd}};
}

json::object simulated_json(const SimulatedResult& result) {
  return {{"mean_duration_s", result.mean_duration_s},
          {"p95_duration_s", result.p95_duration_s},
          {"mean_queue_age_s", result.mean_queue_age_s},
          {"p95_queue_age_s", result.p95_queue_age_s},
          {"throughput_per_h", result.throughput_per_h}};
}

}  // namespace

Report make_report(const std::vector<tasks::Task>& tasks, int total_slots) {
  Report report;
  std::vector<const tasks::Task*> all;
  std::map<int, std::vector<const tasks::Task*>> by_day;
  for (const tasks::Task& task : tasks) {
    all.push_back(&task);
    by_day[task.spec.day].push_back(&task);
  }
  report.all = figures_of(all);
  for (const auto& [day, of_day] : by_day) {
    report.day_numbers.push_back(day);
    report.days.push_back(figures_of(of_day));
    report.peak_share_local = std::max(report.peak_share_local, report.days.back().share_local);
  }
  report.pooled_workers = total_slots;
  report.one_queue = summary(simulate_one_queue(same_work(tasks), 1));
  report.one_queue_pooled = summary(simulate_one_queue(same_work(tasks), total_slots));
  return report;
}

json::object to_json(const Report& report) {
  json::array days;
  for (std::size_t i = 0; i < report.days.size(); ++i) {
    json::object day = figures_json(report.days[i]);
    day["day"] = report.day_numbers[i];
    days.push_back(std::move(day));
  }
  json::object pooled = simulated_json(report.one_queue_pooled);
  pooled["workers"] = report.pooled_workers;
  return {{"run", report.run},
          {"name", report.name},
          {"cloud", report.cloud},
          {"local_model", report.local_model},
          {"warning", report.warning},
          {"all", figures_json(report.all)},
          {"peak_share_local", report.peak_share_local},
          {"days", std::move(days)},
          {"one_queue_one_worker", simulated_json(report.one_queue)},
          {"one_queue_pooled", std::move(pooled)}};
}

}  // namespace minimill::replay
