#pragma once

// Who is next. Two lanes, each with its own slots and its own queues, so that quick work never
// waits behind slow work. Within a lane interactive requests go first, then background tasks, each
// in order of arrival; where a lane has more than two slots, background work leaves one of them
// free, so that an app never waits for a whole batch.
//
// Pure: no clock, no I/O, no threads. The daemon (Lanes) and the simulation (simulate()) run this
// very code. Every operation is O(1), amortised.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <unordered_map>

#include "base/error.h"
#include "route/decision.h"

namespace minimill::lane {

enum class Priority { kInteractive, kBackground };

struct SchedulerOptions {
  std::array<int, route::kLaneCount> slots{2, 4};
  std::array<std::size_t, route::kLaneCount> max_queued{1024,
                                                        1024};  // interactive and background each
};

using TicketId = std::uint64_t;

class Scheduler {
 public:
  explicit Scheduler(SchedulerOptions options);

  /// kRateLimited when that queue is full. A ticket's number is used once.
  Result<> enqueue(TicketId ticket, route::Lane lane, Priority priority);
  /// The ticket to start now, if the lane has a free slot and somebody waits. The slot is taken.
  std::optional<TicketId> start_next(route::Lane lane);
  /// A started ticket has ended; its slot is free.
  void finish(TicketId ticket);
  /// A waiting ticket leaves. False where it is not waiting.
  bool withdraw(TicketId ticket);

  std::size_t waiting(route::Lane lane) const;
  int running(route::Lane lane) const;
  const SchedulerOptions& options() const { return options_; }

 private:
  struct Place {
    route::Lane lane;
    Priority priority;
  };
  struct Queue {
    std::deque<TicketId> order;  // withdrawn tickets too, until their turn or a sweep comes
    std::size_t waiting = 0;
    std::optional<TicketId> pop(const std::unordered_map<TicketId, Place>& still_waiting);
    void sweep(const std::unordered_map<TicketId, Place>& still_waiting);
  };
  struct LaneState {
    Queue interactive;
    Queue background;
    int running = 0;
    int running_background = 0;
    Queue& queue(Priority priority) {
      return priority == Priority::kInteractive ? interactive : background;
    }
  };
  static int background_slots(int slots) { return slots > 2 ? slots - 1 : slots; }

  SchedulerOptions options_;
  std::array<LaneState, route::kLaneCount> lanes_;
  std::unordered_map<TicketId, Place> waiting_;
  std::unordered_map<TicketId, Place> running_;
};

}  // namespace minimill::lane
