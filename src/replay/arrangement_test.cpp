#include "replay/arrangement.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "replay/timeline.h"
#include "support/published_world.h"

namespace minimill::replay {
namespace {

using chat::Lane;

SimulatedResult run(Arrangement arrangement, double tasks_per_h, lane::PerLane<int> workers) {
  Arranged arranged = arrange(
      arrangement, test::published_tasks({.tasks_per_h = tasks_per_h, .tasks = 50'000}), workers);
  return summary(simulate(std::move(arranged.tasks), arranged.options));
}

TEST(PublishedWorld, GivesTheFourPublishedNumbers) {
  const SimulatedResult one = run(Arrangement::kOneQueue, 46.6, {0, 1});
  const SimulatedResult two = run(Arrangement::kTwoLanes, 58.2, {1, 1});

  EXPECT_NEAR(one.mean_duration_s - one.mean_queue_age_s, 47, 1.5);
  EXPECT_NEAR(one.mean_queue_age_s, 73, 8);
  EXPECT_NEAR(two.mean_duration_s - two.mean_queue_age_s, 19, 1);
  EXPECT_NEAR(two.mean_queue_age_s, 4, 1);
}

TEST(PublishedWorld, OursKeepsQueueAgeUnderHalfASecondAtThePublishedLoad) {
  EXPECT_LE(run(Arrangement::kMinimill, 58.2, {1, 4}).mean_queue_age_s, 0.5);
}

TEST(PublishedWorld, OursCarriesFourTimesTheLoadWithoutMoreWaiting) {
  Arranged arranged = arrange(Arrangement::kMinimill,
                              test::published_tasks({.tasks_per_h = 230, .tasks = 50'000}), {1, 4});
  const std::vector<Served> served = simulate(std::move(arranged.tasks), arranged.options);
  std::vector<double> hard;
  double longest = 0;
  for (const Served& each : served) {
    if (each.belongs == Lane::kCloud) hard.push_back(each.age_s());
    longest = std::max(longest, each.age_s() / each.predicted_s);
  }
  std::ranges::sort(hard);

  EXPECT_LE(summary(served).mean_queue_age_s, 4);
  EXPECT_LE(hard[hard.size() * 99 / 100], 180);
  EXPECT_LE(longest, 10);
}

TEST(Arrangement, OneQueueRunsEverythingInTheCloud) {
  const Arranged one =
      arrange(Arrangement::kOneQueue, test::published_tasks({.tasks = 100}), {1, 4});

  EXPECT_EQ(one.options.slots, (lane::PerLane<int>{0, 5}));
  for (const SimulatedTask& task : one.tasks) EXPECT_EQ(task.lane, Lane::kCloud);
}

TEST(Arrangement, IsFoundByItsName) {
  for (const Arrangement each : kArrangements) EXPECT_EQ(parse_arrangement(name(each)), each);
  EXPECT_EQ(parse_arrangement("round-robin").error().field, "scheduler");
}

TEST(Timeline, CountsWhatRunsAndHowLongItWaited) {
  const std::vector<Served> served{
      {.arrived_s = 0, .started_s = 0, .ended_s = 10, .ran = Lane::kLocal},
      {.arrived_s = 0, .started_s = 5, .ended_s = 10, .ran = Lane::kCloud}};

  const Timeline timeline = timeline_of(served, 2);

  EXPECT_EQ(timeline.step_s, 5);
  EXPECT_EQ(timeline.queue_age_s, (std::vector<double>{2.5, 0}));
  EXPECT_EQ(timeline.running[0], (std::vector<double>{1, 1}));
  EXPECT_EQ(timeline.running[1], (std::vector<double>{0, 1}));
}

TEST(Timeline, PictureHoldsEveryNameSafely) {
  const std::vector<Served> served{{.arrived_s = 0, .started_s = 1, .ended_s = 2}};

  const std::string svg = to_svg("<week>", {{"ours & theirs", timeline_of(served, 3)}});

  EXPECT_NE(svg.find("&lt;week&gt;"), std::string::npos);
  EXPECT_NE(svg.find("ours &amp; theirs"), std::string::npos);
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
}

TEST(Timeline, NothingServedMakesAnEmptyPicture) {
  EXPECT_TRUE(to_svg("none", {{"ours", timeline_of({}, 10)}}).starts_with("<svg"));
}

}  // namespace
}  // namespace minimill::replay
