// The published world under four arrangements and growing load: `make bench-lanes`.
//
//   lanes_quality [--svg FILE]
//
// One queue and two lanes are first come first served. "ours" is the daemon's scheduler, told only
// what a kind of task takes on average. "known" is the best that was found with every task's time
// known beforehand: the same scheduler, at the best of its settings for each load. The gap between
// the two is what not knowing costs.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "lane/quantile.h"
#include "replay/arrangement.h"
#include "replay/timeline.h"
#include "support/published_world.h"

namespace {

using namespace minimill;
using lane::PerLane;
using replay::Arrangement;
using replay::Served;

constexpr int kTasks = 100'000;
constexpr PerLane<int> kWorkers{1, 4};

struct Row {
  double duration_s = 0;
  double age_s = 0;
  double p99_age_s = 0;
  double p99_hard_age_s = 0;
  double longest_wait = 0;   // times the mean of its kind
  std::size_t over_ten = 0;  // tasks that waited longer than ten times that
  double share_local = 0;
  double usd_per_task = 0;
};

/// Predictions differ between arrangements: what a kind takes on average in its own lane does not.
double usual_s(const Served& served) {
  const replay::PublishedWorld world;
  return served.belongs == chat::Lane::kLocal ? world.easy_local_s : world.hard_s;
}

Row row_of(const std::vector<Served>& served, bool one_queue) {
  Row row;
  std::vector<double> ages;
  std::vector<double> hard;
  const replay::PublishedWorld world;
  for (const Served& each : served) {
    const double age_s = each.age_s();
    ages.push_back(age_s);
    if (each.belongs == chat::Lane::kCloud) hard.push_back(age_s);
    const double usual = one_queue ? world.easy_cloud_s : usual_s(each);
    row.longest_wait = std::max(row.longest_wait, age_s / usual);
    if (age_s > 10 * usual) ++row.over_ten;
    if (each.ran == chat::Lane::kLocal) row.share_local += 1;
    row.usd_per_task += each.usd;
  }
  const auto count = static_cast<double>(served.size());
  const replay::SimulatedResult means = replay::summary(served);
  row.duration_s = means.mean_duration_s;
  row.age_s = means.mean_queue_age_s;
  row.p99_age_s = lane::quantile(std::move(ages), 0.99);
  row.p99_hard_age_s = lane::quantile(std::move(hard), 0.99);
  row.share_local /= count;
  row.usd_per_task /= count;
  return row;
}

std::vector<replay::SimulatedTask> world_at(double tasks_per_h, int tasks = kTasks) {
  return test::published_tasks({.tasks_per_h = tasks_per_h, .tasks = tasks});
}

std::vector<Served> run(Arrangement arrangement, double tasks_per_h, PerLane<int> workers,
                        const lane::SchedulerOptions& options = {}) {
  replay::Arranged arranged = replay::arrange(arrangement, world_at(tasks_per_h), workers, options);
  return replay::simulate(std::move(arranged.tasks), arranged.options);
}

/// The least mean queue age that was found with known times.
Row best_known(double tasks_per_h) {
  Row best;
  best.age_s = std::numeric_limits<double>::infinity();
  for (const double stretch : {10.0, 1e6}) {
    for (const double running_share : {0.0, 0.05, 0.2}) {
      lane::SchedulerOptions options;
      options.stretch = stretch;
      options.running_share = running_share;
      const Row row = row_of(run(Arrangement::kKnownTimes, tasks_per_h, kWorkers, options), false);
      if (row.age_s < best.age_s) best = row;
    }
  }
  return best;
}

void print_head() {
  fmt::print("{:>8} {:<22} {:>9} {:>9} {:>9} {:>11} {:>14} {:>8} {:>7} {:>9}\n", "tasks/h",
             "arrangement", "duration", "age", "age p99", "hard p99", "longest wait", "over 10x",
             "local", "ct/task");
}

void print_row(double load, const std::string& name, const Row& row) {
  fmt::print(
      "{:>8.1f} {:<22} {:>8.1f}s {:>8.2f}s {:>8.1f}s {:>10.1f}s {:>12.1f}x {:>8} {:>6.0f}% "
      "{:>9.3f}\n",
      load, name, row.duration_s, row.age_s, row.p99_age_s, row.p99_hard_age_s, row.longest_wait,
      row.over_ten, 100 * row.share_local, 100 * row.usd_per_task);
}

/// The highest load at which the mean queue age stays within `age_s`, to a task an hour.
double most_per_h(Arrangement arrangement, double age_s, PerLane<int> workers) {
  double low = 20;
  double high = 700;
  while (high - low > 1) {
    const double middle = (low + high) / 2;
    const bool kept = replay::summary(run(arrangement, middle, workers)).mean_queue_age_s <= age_s;
    (kept ? low : high) = middle;
  }
  return low;
}

void write_svg(const std::string& path) {
  constexpr double kLoad = 350;
  constexpr int kShown = 1500;
  std::vector<replay::NamedTimeline> compared;
  for (const Arrangement each : {Arrangement::kOneQueue, Arrangement::kTwoLanes,
                                 Arrangement::kKnownTimes, Arrangement::kMinimill}) {
    replay::Arranged arranged = replay::arrange(each, world_at(kLoad, kShown), kWorkers);
    const std::vector<Served> served =
        replay::simulate(std::move(arranged.tasks), arranged.options);
    compared.push_back({std::string(replay::name(each)), replay::timeline_of(served, 150)});
  }
  std::ofstream(path) << replay::to_svg(
      fmt::format("The published world at {:.0f} tasks/h, one local and four cloud workers", kLoad),
      compared);
  fmt::print("\nqueue age and lanes over time at {:.0f} tasks/h: {}\n", kLoad, path);
}

}  // namespace

int main(int argc, char** argv) {
  fmt::print(
      "The published case, one worker a queue ({} tasks; durations there are without waiting):\n",
      kTasks);
  print_head();
  const auto published = [](const char* name, Arrangement arrangement, double load,
                            PerLane<int> workers) {
    Row row = row_of(run(arrangement, load, workers), arrangement == Arrangement::kOneQueue);
    row.duration_s -= row.age_s;
    print_row(load, name, row);
  };
  published("one queue (47 s, 73 s)", Arrangement::kOneQueue, 46.6, {0, 1});
  published("two lanes (19 s, 4 s)", Arrangement::kTwoLanes, 58.2, {1, 1});

  fmt::print(
      "\nOne local worker and four cloud workers; one queue has all five. An hour of waiting is "
      "priced at 10 USD, as apps' is,\n"
      "or at 0.2 USD, as tasks' is:\n");
  print_head();
  for (const double load : {58.2, 120.0, 230.0, 300.0, 350.0, 400.0, 450.0}) {
    const Row one = row_of(run(Arrangement::kOneQueue, load, kWorkers), true);
    const Row two = row_of(run(Arrangement::kTwoLanes, load, kWorkers), false);
    const Row ours = row_of(run(Arrangement::kMinimill, load, kWorkers), false);
    lane::SchedulerOptions patient;
    patient.usd_per_h = {0.2, 0.2};
    const Row cheap = row_of(run(Arrangement::kMinimill, load, kWorkers, patient), false);
    const Row known = best_known(load);
    print_row(load, "one queue", one);
    print_row(load, "two lanes", two);
    print_row(load, "ours", ours);
    print_row(load, "ours, 0.2 USD/h", cheap);
    print_row(load, "known times, best of 6", known);
    fmt::print(
        "{:>8} gap to known times: {:+.2f} s of queue age; one queue : two lanes : ours = {:.0f} : "
        "{:.1f} : 1\n",
        "", ours.age_s - known.age_s, one.age_s / std::max(ours.age_s, 1e-9),
        two.age_s / std::max(ours.age_s, 1e-9));
    std::fflush(stdout);
  }
  fmt::print(
      "\nMost tasks/h with a mean queue age of 4 s: one queue {:.0f}, two lanes {:.0f}, ours "
      "{:.0f}, "
      "known times {:.0f}\n",
      most_per_h(Arrangement::kOneQueue, 4, kWorkers),
      most_per_h(Arrangement::kTwoLanes, 4, kWorkers),
      most_per_h(Arrangement::kMinimill, 4, kWorkers),
      most_per_h(Arrangement::kKnownTimes, 4, kWorkers));
  if (argc > 2 && std::string(argv[1]) == "--svg") write_svg(argv[2]);
}
