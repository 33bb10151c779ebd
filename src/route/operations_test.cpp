#include "route/operations.h"

#include <gtest/gtest.h>

#include "route/routing_metrics.h"

namespace minimill::route {
namespace {

TEST(Operations, ASlugIsWhatTitlesHaveInCommon) {
  EXPECT_EQ(operation_slug("Triage this customer mail #17"), "triage-this-customer-mail");
  EXPECT_EQ(operation_slug("12 / 34"), "");
}

TEST(Operations, TheOneNotSeenForLongestMakesRoom) {
  Operations operations;
  for (std::size_t i = 0; i < Operations::kMaxOperations; ++i) {
    operations.saw(operations.add("op-" + std::to_string(i), "").index, 1);
  }
  operations.saw(0, 2);
  const Operations::Place place = operations.add("new", "New");
  EXPECT_TRUE(place.evicted);
  EXPECT_EQ(place.index, 1);
  EXPECT_EQ(operations.find("op-1"), nullptr);
  EXPECT_NE(operations.find("op-0"), nullptr);
}

TEST(Operations, OutcomesWorseThanForetoldMakeItCarefulAndGoodOnesEndThat) {
  Operations operations;
  const OperationIndex index = operations.add("tag", "Tag").index;
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(operations.learn_local(index, "m", 0.9, true, 1));

  int failures = 1;
  while (!operations.learn_local(index, "m", 0.9, false, 1)) ++failures;

  EXPECT_LE(failures, 6);
  EXPECT_GT(operations.at(index).to_prove, 0);
  EXPECT_LT(operations.at(index).local.count(), 20);
  const int to_prove = operations.at(index).to_prove;
  operations.learn_local(index, "m", 0.9, true, 1);
  operations.learn_local(index, "m", 0.9, false, 1);  // from the beginning
  for (int i = 0; i < to_prove; ++i) operations.learn_local(index, "m", 0.9, true, 1);
  EXPECT_EQ(operations.at(index).to_prove, 0);
}

TEST(Operations, OutcomesAsForetoldAreNoDrift) {
  Operations operations;
  const OperationIndex index = operations.add("tag", "Tag").index;
  int alarms = 0;
  for (int i = 0; i < 2000; ++i) {
    // Seven of ten, in no order.
    const bool ok = (i * 7919) % 10 < 7;
    alarms += operations.learn_local(index, "m", 0.7, ok, 1) ? 1 : 0;
  }
  EXPECT_EQ(alarms, 0);
}

TEST(RoutingMetrics, PerfectScoresRecoverTheGapAtOnce) {
  std::vector<Routed> routed;
  for (int i = 0; i < 100; ++i) {
    const bool hard = i % 10 == 0;
    routed.push_back({.score = hard ? 1.0 : 0.0,
                      .p_local = hard ? 0.0 : 1.0,
                      .local_ok = !hard,
                      .cloud_ok = true});
  }
  const RoutingMetrics metrics = routing_metrics(routed);
  EXPECT_DOUBLE_EQ(metrics.apgr, 1);
  EXPECT_DOUBLE_EQ(metrics.cpt80, 0.08);
  EXPECT_EQ(metrics.calibration_error, 0);
}

TEST(RoutingMetrics, ScoresThatSayNothingRecoverAsMuchAsGoesOut) {
  std::vector<Routed> routed;
  for (int i = 0; i < 1000; ++i) {
    routed.push_back({.score = 0, .p_local = 0.9, .local_ok = i % 10 != 0, .cloud_ok = true});
  }
  const RoutingMetrics metrics = routing_metrics(routed);
  EXPECT_NEAR(metrics.apgr, 0.5, 0.01);
  EXPECT_NEAR(metrics.cpt50, 0.5, 0.02);
}

}  // namespace
}  // namespace minimill::route
