#include "lane/lanes.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <optional>

namespace minimill::lane {
namespace {

using chat::Lane;

constexpr SchedulerOptions kOneSlot{.slots = {1, 1}};

Job job_in(Lane lane, Priority priority) {
  Job job;
  job.lane = lane;
  job.priority = priority;
  return job;
}

/// Runs what is ready; a context that once ran out of work has to be restarted for that.
void run_ready(asio::io_context& io) {
  io.restart();
  io.poll();
}

struct Entry {
  std::optional<Result<Slot>> result;
  asio::cancellation_signal cancel;

  bool has_slot() const { return result && result->has_value(); }
};

void enter(asio::io_context& io, Lanes& lanes, Entry& entry) {
  asio::co_spawn(io, lanes.enter(job_in(Lane::kLocal, Priority::kInteractive)),
                 asio::bind_cancellation_slot(entry.cancel.slot(),
                                              [&entry](std::exception_ptr, Result<Slot> slot) {
                                                entry.result.emplace(std::move(slot));
                                              }));
  run_ready(io);
}

/// Is cancelled before it ever reaches the queue.
asio::awaitable<void> enter_cancelled(Lanes& lanes, Entry& entry) {
  co_await asio::this_coro::throw_if_cancelled(false);
  entry.cancel.emit(asio::cancellation_type::terminal);
  Job job = job_in(Lane::kLocal, Priority::kInteractive);
  Result<Slot> slot = co_await lanes.enter(std::move(job));
  entry.result.emplace(std::move(slot));
}

TEST(Lanes, GivenBackSlotWakesTheNext) {
  asio::io_context io;
  Lanes lanes(io.get_executor(), kOneSlot);
  Entry first;
  Entry second;
  enter(io, lanes, first);
  enter(io, lanes, second);
  ASSERT_TRUE(first.has_slot());
  ASSERT_FALSE(second.result);

  first.result.reset();
  run_ready(io);

  ASSERT_TRUE(second.has_slot());
  EXPECT_EQ(lanes.running(Lane::kLocal), 1);
}

TEST(Lanes, CancelledWaiterLeavesTheQueue) {
  asio::io_context io;
  Lanes lanes(io.get_executor(), kOneSlot);
  Entry first;
  Entry second;
  enter(io, lanes, first);
  enter(io, lanes, second);

  second.cancel.emit(asio::cancellation_type::terminal);
  run_ready(io);

  ASSERT_TRUE(second.result);
  EXPECT_EQ(second.result->error().code, ErrorCode::kCancelled);
  EXPECT_EQ(lanes.waiting(Lane::kLocal), 0U);
}

TEST(Lanes, SlotMayOutliveTheLanes) {
  asio::io_context io;
  Entry entry;
  {
    Lanes lanes(io.get_executor(), kOneSlot);
    enter(io, lanes, entry);
  }
  EXPECT_TRUE(entry.has_slot());
  entry.result.reset();
}

TEST(Lanes, WhoWasCancelledBeforeDoesNotWaitForEver) {
  asio::io_context io;
  Lanes lanes(io.get_executor(), kOneSlot);
  Entry first;
  Entry second;
  enter(io, lanes, first);

  asio::co_spawn(io, enter_cancelled(lanes, second),
                 asio::bind_cancellation_slot(second.cancel.slot(), asio::detached));
  run_ready(io);

  ASSERT_TRUE(second.result);
  EXPECT_EQ(second.result->error().code, ErrorCode::kCancelled);
  EXPECT_EQ(lanes.waiting(Lane::kLocal), 0U);
}

TEST(Lanes, SlotGivenToWhoIsBeingCancelledIsNotLost) {
  asio::io_context io;
  Lanes lanes(io.get_executor(), kOneSlot);
  Entry first;
  Entry second;
  Entry third;
  enter(io, lanes, first);
  enter(io, lanes, second);
  enter(io, lanes, third);

  second.cancel.emit(asio::cancellation_type::terminal);
  first.result.reset();  // the slot is second's before it knows that it was cancelled
  run_ready(io);
  second.result.reset();
  run_ready(io);

  EXPECT_TRUE(third.has_slot());
  EXPECT_EQ(lanes.running(Lane::kLocal), 1);
}

TEST(Lanes, WaitersAreWokenLaterAndNotFromWithinEachOther) {
  // Ten thousand in a row, each giving its slot back at once: woken inline, that would be a stack
  // ten thousand deep.
  constexpr int kWaiters = 10'000;
  asio::io_context io;
  Lanes lanes(io.get_executor(), {.slots = {1, 1}, .max_background = kWaiters});
  Entry first;
  enter(io, lanes, first);
  int served = 0;
  for (int i = 0; i < kWaiters; ++i) {
    asio::co_spawn(io, lanes.enter(job_in(Lane::kLocal, Priority::kBackground)),
                   [&served](std::exception_ptr, Result<Slot> slot) {
                     if (slot) ++served;
                   });
  }
  run_ready(io);

  first.result.reset();
  EXPECT_EQ(served, 0);
  run_ready(io);

  EXPECT_EQ(served, kWaiters);
  EXPECT_EQ(lanes.running(Lane::kLocal), 0);
}

TEST(Lanes, WhoWaitsWhenTheyCloseIsTold) {
  asio::io_context io;
  Entry first;
  Entry second;
  {
    Lanes lanes(io.get_executor(), kOneSlot);
    enter(io, lanes, first);
    enter(io, lanes, second);
  }
  first.result.reset();
  run_ready(io);

  ASSERT_TRUE(second.result);
  EXPECT_EQ(second.result->error().code, ErrorCode::kUnavailable);
}

TEST(Lanes, FullQueueIsRefusedAtOnce) {
  asio::io_context io;
  Lanes lanes(io.get_executor(), {.slots = {1, 1}, .max_interactive = 1});
  Entry running;
  Entry waiting;
  Entry refused;
  enter(io, lanes, running);
  enter(io, lanes, waiting);

  enter(io, lanes, refused);

  ASSERT_TRUE(refused.result);
  EXPECT_EQ(refused.result->error().code, ErrorCode::kRateLimited);
  EXPECT_GE(refused.result->error().retry_after, std::chrono::seconds{1});
}

TEST(Lanes, WhoeverIsTurnedAwayIsToldAtOnceAndWhatRunsGoesOn) {
  asio::io_context io;
  Lanes lanes(io.get_executor(), kOneSlot);
  Entry running;
  Entry waiting;
  Entry late;
  enter(io, lanes, running);
  enter(io, lanes, waiting);

  lanes.turn_away();
  run_ready(io);
  enter(io, lanes, late);

  ASSERT_TRUE(waiting.result);
  EXPECT_EQ(waiting.result->error().code, ErrorCode::kUnavailable);
  ASSERT_TRUE(late.result);
  EXPECT_EQ(late.result->error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(running.has_slot());
  EXPECT_EQ(lanes.running(Lane::kLocal), 1);
}

TEST(Lanes, AssigningOverASlotGivesItBackOnce) {
  asio::io_context io;
  Lanes lanes(io.get_executor(), {.slots = {2, 1}});
  Entry first;
  Entry second;
  enter(io, lanes, first);
  enter(io, lanes, second);
  Slot slot = std::move(**first.result);

  slot = std::move(**second.result);

  EXPECT_EQ(lanes.running(Lane::kLocal), 1);
  slot = {};
  EXPECT_EQ(lanes.running(Lane::kLocal), 0);
}

TEST(Lanes, TurnComesFromTheEventLoopAndNotFromWithinWhoeverGivesBack) {
  asio::io_context io;
  Lanes lanes(io.get_executor(), kOneSlot);
  Entry first;
  enter(io, lanes, first);
  std::optional<Slot> second;
  ASSERT_TRUE(lanes.wait(job_in(Lane::kLocal, Priority::kBackground),
                         [&second](Slot slot) { second = std::move(slot); }));

  first.result.reset();

  EXPECT_FALSE(second);
  run_ready(io);
  ASSERT_TRUE(second);
  EXPECT_EQ(lanes.running(Lane::kLocal), 1);
}

TEST(Lanes, WhoHasLeftGetsNoTurn) {
  asio::io_context io;
  Lanes lanes(io.get_executor(), kOneSlot);
  Entry first;
  enter(io, lanes, first);
  const Result<TicketId> ticket =
      lanes.wait(job_in(Lane::kLocal, Priority::kBackground), [](Slot) { FAIL(); });
  ASSERT_TRUE(ticket);

  EXPECT_TRUE(lanes.leave(*ticket));
  first.result.reset();
  run_ready(io);

  EXPECT_EQ(lanes.running(Lane::kLocal), 0);
}

TEST(Lanes, MoreSlotsAreUsedAtOnce) {
  asio::io_context io;
  Lanes lanes(io.get_executor(), kOneSlot);
  Entry first;
  Entry second;
  enter(io, lanes, first);
  enter(io, lanes, second);

  lanes.set_slots(Lane::kLocal, 2);
  run_ready(io);

  EXPECT_TRUE(second.has_slot());
}

TEST(Lanes, SlotSaysThatTheJobWasMoved) {
  asio::io_context io;
  Lanes lanes(io.get_executor(), kOneSlot);
  Entry first;
  enter(io, lanes, first);
  Job job = job_in(Lane::kLocal, Priority::kBackground);
  job.in = {Estimate{.service_s = 100}, Estimate{.service_s = 1}};
  std::optional<Slot> moved;

  ASSERT_TRUE(lanes.wait(std::move(job), [&moved](Slot slot) { moved = std::move(slot); }));
  run_ready(io);

  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->lane(), Lane::kCloud);
  EXPECT_EQ(moved->move(), Move::kBacklog);
}

}  // namespace
}  // namespace minimill::lane
