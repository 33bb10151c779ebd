#include "lane/lanes.h"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

namespace minimill::lane {
namespace {

using route::Lane;

struct Entry {
  std::optional<Result<Slot>> result;
  asio::cancellation_signal cancel;
};

void enter(asio::io_context& io, Lanes& lanes, Entry& entry) {
  asio::co_spawn(io, lanes.enter(Lane::kLocal, Priority::kInteractive),
                 asio::bind_cancellation_slot(entry.cancel.slot(), [&](std::exception_ptr, Result<Slot> slot) {
                   entry.result.emplace(std::move(slot));
                 }));
  io.poll();
}

TEST(Lanes, GivenBackSlotWakesTheNext) {
  asio::io_context io;
  Lanes lanes(io.get_executor(), {.slots = {1, 1}, .max_queued = {8, 8}});
  Entry first;
  Entry second;
  enter(io, lanes, first);
  enter(io, lanes, second);
  ASSERT_TRUE(first.result && first.result->has_value());
  ASSERT_FALSE(second.result);

  first.result.reset();
  io.poll();

  ASSERT_TRUE(second.result && second.result->has_value());
  EXPECT_EQ(lanes.running(Lane::kLocal), 1);
}

TEST(Lanes, CancelledWaiterLeavesTheQueue) {
  asio::io_context io;
  Lanes lanes(io.get_executor(), {.slots = {1, 1}, .max_queued = {8, 8}});
  Entry first;
  Entry second;
  enter(io, lanes, first);
  enter(io, lanes, second);

  second.cancel.emit(asio::cancellation_type::terminal);
  io.poll();

  ASSERT_TRUE(second.result);
  EXPECT_EQ(second.result->error().code, ErrorCode::kCancelled);
  EXPECT_EQ(lanes.waiting(Lane::kLocal), 0U);
}

TEST(Lanes, SlotMayOutliveTheLanes) {
  asio::io_context io;
  Entry entry;
  {
    Lanes lanes(io.get_executor(), {.slots = {1, 1}, .max_queued = {8, 8}});
    enter(io, lanes, entry);
  }
  EXPECT_TRUE(entry.result->has_value());
  entry.result.reset();
}

}  // namespace
}  // namespace minimill::lane
