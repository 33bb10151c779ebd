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

using route::Lane;

constexpr SchedulerOptions kOneSlot{.slots = {1, 1}, .max_queued = {8, 8}};

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
  asio::co_spawn(io, lanes.enter(Lane::kLocal, Priority::kInteractive),
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
  Result<Slot> slot = co_await lanes.enter(Lane::kLocal, Priority::kInteractive);
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
  Lanes lanes(io.get_executor(), {.slots = {1, 1}, .max_queued = {kWaiters, kWaiters}});
  Entry first;
  enter(io, lanes, first);
  int served = 0;
  for (int i = 0; i < kWaiters; ++i) {
    asio::co_spawn(io, lanes.enter(Lane::kLocal, Priority::kBackground),
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
  Lanes lanes(io.get_executor(), {.slots = {1, 1}, .max_queued = {1, 1}});
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
  Lanes lanes(io.get_executor(), {.slots = {2, 1}, .max_queued = {8, 8}});
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

}  // namespace
}  // namespace minimill::lane
