#include "lane/scheduler.h"

#include <fmt/format.h>

#include <algorithm>

namespace minimill::lane {

Scheduler::Scheduler(SchedulerOptions options) : options_(options) {}

Result<> Scheduler::enqueue(TicketId ticket, route::Lane lane, Priority priority) {
  LaneState& state = lanes_[route::index(lane)];
  Queue& queue = state.queue(priority);
  if (queue.waiting >= options_.max_queued[route::index(lane)]) {
    return fail(ErrorCode::kRateLimited,
                fmt::format("the {} lane's queue of {} is full", route::name(lane), queue.waiting),
                "try again later, or raise [lanes] max_queued");
  }
  queue.order.push_back(ticket);
  ++queue.waiting;
  waiting_.emplace(ticket, Place{lane, priority});
  return {};
}

std::optional<TicketId> Scheduler::Queue::pop(
    const std::unordered_map<TicketId, Place>& still_waiting) {
  while (!order.empty()) {
    const TicketId ticket = order.front();
    order.pop_front();
    if (!still_waiting.contains(ticket)) continue;  // withdrawn
    --waiting;
    return ticket;
  }
  return std::nullopt;
}

/// Callers may come and go for days before a lane moves on: once most numbers are of tickets that
/// left, they are dropped. As many have left since the last sweep as this one looks at, or half.
void Scheduler::Queue::sweep(const std::unordered_map<TicketId, Place>& still_waiting) {
  constexpr std::size_t kWorthIt = 64;
  if (order.size() < kWorthIt || order.size() / 2 < waiting) return;
  std::erase_if(order, [&](TicketId ticket) { return !still_waiting.contains(ticket); });
}

std::optional<TicketId> Scheduler::start_next(route::Lane lane) {
  LaneState& state = lanes_[route::index(lane)];
  const int slots = options_.slots[route::index(lane)];
  if (state.running >= slots) return std::nullopt;
  Priority priority = Priority::kInteractive;
  std::optional<TicketId> ticket = state.interactive.pop(waiting_);
  if (!ticket && state.running_background < background_slots(slots)) {
    priority = Priority::kBackground;
    ticket = state.background.pop(waiting_);
  }
  if (!ticket) return std::nullopt;
  waiting_.erase(*ticket);
  running_.emplace(*ticket, Place{lane, priority});
  ++state.running;
  if (priority == Priority::kBackground) ++state.running_background;
  return ticket;
}

void Scheduler::finish(TicketId ticket) {
  const auto found = running_.find(ticket);
  if (found == running_.end()) return;
  LaneState& state = lanes_[route::index(found->second.lane)];
  --state.running;
  if (found->second.priority == Priority::kBackground) --state.running_background;
  running_.erase(found);
}

bool Scheduler::withdraw(TicketId ticket) {
  const auto found = waiting_.find(ticket);
  if (found == waiting_.end()) return false;
  // Its number stays in the queue and is skipped when its turn comes: a search would be linear.
  Queue& queue = lanes_[route::index(found->second.lane)].queue(found->second.priority);
  --queue.waiting;
  waiting_.erase(found);
  queue.sweep(waiting_);
  return true;
}

std::size_t Scheduler::waiting(route::Lane lane) const {
  const LaneState& state = lanes_[route::index(lane)];
  return state.interactive.waiting + state.background.waiting;
}

int Scheduler::running(route::Lane lane) const { return lanes_[route::index(lane)].running; }

}  // namespace minimill::lane
