#pragma once

// The scheduler, awaited: whoever wants to use a lane waits here for a slot.
//
//   Result<Slot> slot = co_await lanes.enter(std::move(job));
//   … use the backend of slot->lane() …     // the slot is given back when it is destroyed
//
// A waiting coroutine that is cancelled leaves the queue. Event-loop thread only.

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
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
  /// Where it is: the job's own lane, unless it was moved.
  chat::Lane lane() const { return lane_; }
  Move move() const { return move_; }
  /// How it is given back; kWhole unless told otherwise. Work that failed, or was left, was cut
  /// short: how long it took is not how long it takes.
  void set_end(Scheduler::End end) { end_ = end; }

 private:
  friend class Lanes;
  struct State;
  std::weak_ptr<State> state_;
  TicketId ticket_ = 0;
  std::chrono::nanoseconds waited_{};
  chat::Lane lane_ = chat::Lane::kLocal;
  Move move_ = Move::kNone;
  Scheduler::End end_ = Scheduler::End::kWhole;
};

/// A point in time as the scheduler counts, for Job::deadline_s.
double scheduler_seconds(SteadyTime time);

class Lanes {
 public:
  /// `speed`: how many times faster than the machine's clock the scheduler's goes. Only a replay's
  /// is not 1; everything the scheduler is told and tells is in its own seconds.
  Lanes(asio::any_io_executor executor, SchedulerOptions options, double speed = 1);
  ~Lanes();  // whoever waits gets kUnavailable

  /// kRateLimited when the queue is full, with when a place in it is likely to be free; kTimeout at
  /// `give_up`; kCancelled when the caller is cancelled.
  asio::awaitable<Result<Slot>> enter(Job job, std::optional<SteadyTime> give_up = std::nullopt);

  /// The same for whom a coroutine each would be too much: `on_turn` is called from the event loop,
  /// once, unless leave() was called before.
  Result<TicketId> wait(Job job, std::function<void(Slot)> on_turn);
  /// False where its turn has come already.
  bool leave(TicketId ticket);

  /// Interactive requests that wait, and those that come from now on, get kUnavailable; what runs
  /// goes on. Background tasks are their runner's to stop.
  void turn_away();

  /// As many as the engines, or the providers, really take at once.
  void set_slots(chat::Lane lane, int slots);

  std::size_t waiting(chat::Lane lane) const;
  /// Who has waited longest; valid until somebody comes or goes.
  std::vector<Scheduler::Waiter> waiters(chat::Lane lane, std::size_t limit) const;
  int running(chat::Lane lane) const;
  int slots(chat::Lane lane) const;
  /// As many of them as background tasks may take.
  int task_slots(chat::Lane lane) const;
  /// How long a job that came now would wait, in seconds, by what is predicted.
  double expected_wait_s(chat::Lane lane, Priority priority) const;

 private:
  std::shared_ptr<Slot::State> state_;
};

}  // namespace minimill::lane
