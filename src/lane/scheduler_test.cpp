#include "lane/scheduler.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace minimill::lane {
namespace {

using route::Lane;

TEST(Scheduler, QuickTaskNeverWaitsBehindSlowOne) {
  Scheduler scheduler({.slots = {1, 1}, .max_queued = {10, 10}});
  for (TicketId slow = 1; slow <= 5; ++slow) {
    ASSERT_TRUE(scheduler.enqueue(slow, Lane::kCloud, Priority::kBackground).has_value());
  }
  ASSERT_EQ(scheduler.start_next(Lane::kCloud), 1U);

  ASSERT_TRUE(scheduler.enqueue(9, Lane::kLocal, Priority::kBackground).has_value());

  EXPECT_EQ(scheduler.start_next(Lane::kLocal), 9U);
}

TEST(Scheduler, InteractiveGoesBeforeBackgroundAndEachInOrder) {
  Scheduler scheduler({.slots = {1, 1}, .max_queued = {10, 10}});
  (void)scheduler.enqueue(1, Lane::kLocal, Priority::kBackground);
  (void)scheduler.enqueue(2, Lane::kLocal, Priority::kInteractive);
  (void)scheduler.enqueue(3, Lane::kLocal, Priority::kInteractive);
  std::vector<TicketId> order;

  while (const auto ticket = scheduler.start_next(Lane::kLocal)) {
    order.push_back(*ticket);
    scheduler.finish(*ticket);
  }

  EXPECT_EQ(order, (std::vector<TicketId>{2, 3, 1}));
}

TEST(Scheduler, BackgroundLeavesASlotForApps) {
  Scheduler scheduler({.slots = {1, 4}, .max_queued = {10, 10}});
  for (TicketId ticket = 1; ticket <= 6; ++ticket) {
    (void)scheduler.enqueue(ticket, Lane::kCloud, Priority::kBackground);
  }
  while (scheduler.start_next(Lane::kCloud)) {
  }
  ASSERT_EQ(scheduler.running(Lane::kCloud), 3);

  (void)scheduler.enqueue(7, Lane::kCloud, Priority::kInteractive);

  EXPECT_EQ(scheduler.start_next(Lane::kCloud), 7U);
}

TEST(Scheduler, FullQueueIsRefused) {
  Scheduler scheduler({.slots = {1, 1}, .max_queued = {1, 1}});
  (void)scheduler.enqueue(1, Lane::kLocal, Priority::kInteractive);

  const Result<> second = scheduler.enqueue(2, Lane::kLocal, Priority::kInteractive);

  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kRateLimited);
}

TEST(Scheduler, NoSlotIsEverTakenTwiceOrLost) {
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    std::minstd_rand random(seed);
    Scheduler scheduler({.slots = {2, 3}, .max_queued = {50, 50}});
    std::vector<TicketId> running;
    std::vector<TicketId> waiting;
    TicketId next = 1;
    for (int step = 0; step < 2000; ++step) {
      const Lane lane = random() % 2 == 0 ? Lane::kLocal : Lane::kCloud;
      switch (random() % 4) {
        case 0:
          if (scheduler.enqueue(
                  next, lane, random() % 2 == 0 ? Priority::kInteractive : Priority::kBackground)) {
            waiting.push_back(next);
          }
          ++next;
          break;
        case 1:
          if (const auto started = scheduler.start_next(lane)) {
            ASSERT_EQ(std::erase(waiting, *started), 1U);
            running.push_back(*started);
          }
          break;
        case 2:
          if (!running.empty()) {
            scheduler.finish(running.back());
            running.pop_back();
          }
          break;
        default:
          if (!waiting.empty()) {
            ASSERT_TRUE(scheduler.withdraw(waiting.back()));
            waiting.pop_back();
          }
      }
      ASSERT_LE(scheduler.running(Lane::kLocal), 2);
      ASSERT_LE(scheduler.running(Lane::kCloud), 3);
      ASSERT_EQ(scheduler.running(Lane::kLocal) + scheduler.running(Lane::kCloud),
                static_cast<int>(running.size()));
      ASSERT_EQ(scheduler.waiting(Lane::kLocal) + scheduler.waiting(Lane::kCloud), waiting.size());
    }
  }
}

TEST(Scheduler, LocalLaneDoesAsItWouldWithNoCloudAtAll) {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    std::minstd_rand random(seed);
    const SchedulerOptions options{.slots = {2, 1}, .max_queued = {20, 20}};
    Scheduler both(options);
    Scheduler alone(options);
    std::vector<TicketId> running;
    for (TicketId ticket = 1; ticket <= 1000; ++ticket) {
      const Priority priority = random() % 2 == 0 ? Priority::kInteractive : Priority::kBackground;
      (void)both.enqueue(1'000'000 + ticket, Lane::kCloud, priority);
      (void)both.start_next(Lane::kCloud);

      ASSERT_EQ(both.enqueue(ticket, Lane::kLocal, priority).has_value(),
                alone.enqueue(ticket, Lane::kLocal, priority).has_value());
      if (!running.empty() && random() % 3 != 0) {
        both.finish(running.back());
        alone.finish(running.back());
        running.pop_back();
      }
      const auto started = both.start_next(Lane::kLocal);
      ASSERT_EQ(started, alone.start_next(Lane::kLocal));
      if (started) running.push_back(*started);
    }
  }
}

TEST(Scheduler, OrderOfArrivalSurvivesWithdrawals) {
  constexpr TicketId kTickets = 100'000;
  Scheduler scheduler({.slots = {1, 1}, .max_queued = {kTickets, kTickets}});
  for (TicketId ticket = 0; ticket < kTickets; ++ticket) {
    ASSERT_TRUE(scheduler.enqueue(ticket, Lane::kLocal, Priority::kBackground).has_value());
  }
  for (TicketId ticket = 0; ticket < kTickets; ++ticket) {
    if (ticket % 10 != 3) {
      ASSERT_TRUE(scheduler.withdraw(ticket));
    }
  }

  for (TicketId ticket = 3; ticket < kTickets; ticket += 10) {
    ASSERT_EQ(scheduler.start_next(Lane::kLocal), ticket);
    scheduler.finish(ticket);
  }
  EXPECT_EQ(scheduler.waiting(Lane::kLocal), 0U);
  EXPECT_FALSE(scheduler.withdraw(3));
}

TEST(Scheduler, StuckLaneTakesNewcomersWhateverManyHaveLeft) {
  Scheduler scheduler({.slots = {1, 1}, .max_queued = {2, 2}});
  (void)scheduler.enqueue(0, Lane::kLocal, Priority::kInteractive);
  ASSERT_EQ(scheduler.start_next(Lane::kLocal), 0U);
  TicketId next = 1;

  for (; next < 300'000; ++next) {  // without the sweep the queue would hold them all
    ASSERT_TRUE(scheduler.enqueue(next, Lane::kLocal, Priority::kInteractive).has_value());
    ASSERT_TRUE(scheduler.withdraw(next));
  }
  ASSERT_TRUE(scheduler.enqueue(next, Lane::kLocal, Priority::kInteractive).has_value());
  scheduler.finish(0);

  EXPECT_EQ(scheduler.start_next(Lane::kLocal), next);
}

}  // namespace
}  // namespace minimill::lane
