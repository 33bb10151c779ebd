#include "replay/report.h"

#include <gtest/gtest.h>

#include <sstream>

namespace minimill::replay {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr WallTime kStart{std::chrono::hours{500'000}};

tasks::Task task(int day, int arrives_s, int waits_s, int serves_s, chat::Lane lane) {
  tasks::Task task;
  task.spec.day = day;
  task.state = tasks::TaskState::kDone;
  task.lane = lane;
  task.due = kStart + seconds{arrives_s};
  task.started = task.due + seconds{waits_s};
  task.finished = *task.started + seconds{serves_s};
  (lane == chat::Lane::kLocal ? task.local_s : task.cloud_s) = serves_s;
  (lane == chat::Lane::kLocal ? task.local_passed : task.cloud_passed) = true;
  task.prompt_tokens = 10;
  task.completion_tokens = 5;
  task.cost_usd = lane == chat::Lane::kLocal ? 0 : 0.25;
  task.all_cloud_cost_usd = 0.25;
  return task;
}

/// Two quick local tasks, a slow cloud one between them, and one that was escalated.
std::vector<tasks::Task> small_week() {
  std::vector<tasks::Task> tasks{
      task(0, 0, 0, 1, chat::Lane::kLocal), task(0, 1, 1, 10, chat::Lane::kCloud),
      task(0, 2, 0, 1, chat::Lane::kLocal), task(1, 100, 2, 4, chat::Lane::kCloud)};
  tasks[3].escalated = true;
  tasks[3].local_passed = false;
  tasks[3].local_s = 1;
  return tasks;
}

TEST(Report, FiguresAreThoseOfTheTasks) {
  const Report report = make_report(small_week(), 2);

  EXPECT_EQ(report.all.tasks, 4);
  EXPECT_EQ(report.all.done, 4);
  EXPECT_EQ(report.all.escalated, 1);
  EXPECT_DOUBLE_EQ(report.all.share_local, 0.5);
  EXPECT_DOUBLE_EQ(report.peak_share_local, 2.0 / 3);
  EXPECT_EQ(report.all.local.answered, 2);
  EXPECT_EQ(report.all.local.tried, 3);
  EXPECT_EQ(report.all.local.passed, 2);
  EXPECT_EQ(report.all.local.checked, 3);
  EXPECT_EQ(report.all.cloud.passed, 2);
  EXPECT_DOUBLE_EQ(report.all.mean_duration_s, (1 + 11 + 1 + 6) / 4.0);
  EXPECT_DOUBLE_EQ(report.all.mean_queue_age_s, (0 + 1 + 0 + 2) / 4.0);
  EXPECT_DOUBLE_EQ(report.all.throughput_per_h, 3600 * 4 / 106.0);
  EXPECT_EQ(report.all.prompt_tokens, 40);
  EXPECT_DOUBLE_EQ(report.all.cost_usd, 0.5);
  EXPECT_DOUBLE_EQ(report.all.all_cloud_cost_usd, 1.0);
  ASSERT_EQ(report.day_numbers, (std::vector<int>{0, 1}));
}

TEST(Report, OneQueueHasTheSameArrivalsAndServiceTimes) {
  const Report report = make_report(small_week(), 2);

  // One worker: 0..1, 1..11, then the quick one from 2 waits until 11; the last takes 1 + 4.
  EXPECT_NEAR(report.one_queue.mean_queue_age_s, (0 + 0 + 9 + 0) / 4.0, 1e-5);
  EXPECT_NEAR(report.one_queue.mean_duration_s, (1 + 10 + 10 + 5) / 4.0, 1e-5);
  EXPECT_NEAR(report.one_queue_pooled.mean_queue_age_s, 0, 1e-5);
}

TEST(Report, WhatIsNotDoneCountsAsSuch) {
  std::vector<tasks::Task> tasks = small_week();
  tasks[0].state = tasks::TaskState::kFailed;
  tasks[1].state = tasks::TaskState::kCancelled;
  tasks[2] = tasks::Task{};

  const Report report = make_report(tasks, 2);

  EXPECT_EQ(report.all.done, 1);
  EXPECT_EQ(report.all.failed, 1);
  EXPECT_EQ(report.all.cancelled, 1);
  EXPECT_DOUBLE_EQ(report.all.share_local, 0);
}

TEST(Report, OfNothingIsNothing) {
  const Report report = make_report({}, 0);

  EXPECT_EQ(report.all.tasks, 0);
  EXPECT_EQ(report.one_queue.mean_duration_s, 0);
  EXPECT_FALSE(to_table(report).empty());
}

TEST(Report, TableIsAtMostAHundredColumnsWide) {
  std::vector<tasks::Task> tasks = small_week();
  tasks.push_back(task(366, 90'000, 80'000, 9'000, chat::Lane::kCloud));
  tasks.back().cost_usd = 12'345;
  tasks.back().all_cloud_cost_usd = 123'456;
  Report report = make_report(tasks, 128);
  report.name = "week.jsonl";
  report.local_model = "smollm2:135m";
  report.cloud = "sim-cloud (simulated)";

  std::istringstream lines(to_table(report));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
}

TEST(Report, WarningIsTheFirstAndTheLastLine) {
  Report report = make_report(small_week(), 2);
  report.warning = "the local answers mean nothing: run `minimill pull smollm2:135m`";
  report.cloud = "sim-cloud (simulated)";

  const std::string table = to_table(report);

  EXPECT_TRUE(table.starts_with(report.warning + "\n"));
  EXPECT_TRUE(table.ends_with(report.warning + "\n"));
  EXPECT_NE(table.find("sim-cloud (simulated)"), std::string::npos);
}

TEST(Report, JsonKeepsItsFields) {
  const json::object object = to_json(make_report(small_week(), 2));

  for (const char* field :
       {"run", "name", "cloud", "local_model", "warning", "all", "peak_share_local", "days",
        "one_queue_one_worker", "one_queue_pooled"}) {
    EXPECT_TRUE(object.contains(field)) << field;
  }
  EXPECT_EQ(object.at("all").at("local").at("passed").to_number<int>(), 2);
  EXPECT_EQ(object.at("days").at(1).at("day").to_number<int>(), 1);
  EXPECT_EQ(object.at("one_queue_pooled").at("workers").to_number<int>(), 2);
}

}  // namespace
}  // namespace minimill::replay
