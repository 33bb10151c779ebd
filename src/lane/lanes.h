#pragma once

// The scheduler, awaited: whoever wants to use a lane waits here for a slot.
//
//   Result<Slot> slot = co_await lanes.enter(Lane::kCloud, Priority::kInteractive);
//   … use the backend …        // the slot is given back when `slot` is destroyed
//
// A waiting coroutine that is cancelled leaves the queue. Event-loop thread only.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "lane/scheduler.h"

namespace minimill::lane {

namespace asio = boost::asio;

class Lanes;

/// A taken slot; movable, gives itself back once.
class Slot {
 public:
  Slot() = default;
  Slot(Slot&& other) noexcept;
  Slot& operator=(Slot&& other) noexcept;
  ~Slot();
  /// How long the owner waited for it.
  std::chrono::nanoseconds waited() const { return waited_; }

 private:
  friend class Lanes;
  struct State;
  std::weak_ptr<State> state_;
  TicketId ticket_ = 0;
  std::chrono::nanoseconds waited_{};
};

class Lanes {
 public:
  Lanes(asio::any_io_executor executor, SchedulerOptions options);
  ~Lanes();  // whoever waits gets kUnavailable

  /// kRateLimited when the queue is full, with when a place in it is likely to be free; kTimeout at
  /// `deadline`; kCancelled when the caller is cancelled.
  asio::awaitable<Result<Slot>> enter(
      route::Lane lane, Priority priority,
      std::optional<std::chrono::steady_clock::time_point> deadline = std::nullopt);

  /// Interactive requests that wait, and those that come from now on, get kUnavailable; what runs
  /// goes on. Background tasks are their runner's to stop.
  void turn_away();

  std::size_t waiting(route::Lane lane) const;
  int running(route::Lane lane) const;
  int slots(route::Lane lane) const;

 private:
  std::shared_ptr<Slot::State> state_;
};

}  // namespace minimill::lane
