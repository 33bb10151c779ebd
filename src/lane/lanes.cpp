#include "lane/lanes.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <unordered_map>
#include <utility>

namespace minimill::lane {
namespace {

/// Somebody waiting: woken by cancelling the timer.
struct Waiter {
  explicit Waiter(const asio::any_io_executor& executor)
      : timer(executor, asio::steady_timer::time_point::max()) {}
  asio::steady_timer timer;
  bool interactive = false;
  bool started = false;
  bool turned_away = false;
};

constexpr double kForget = 0.2;  // of the past, with every slot given back
constexpr std::chrono::milliseconds kShortestRetry{1'000};
constexpr std::chrono::milliseconds kLongestRetry{300'000};

std::unexpected<Error> stopping() {
  return fail(ErrorCode::kUnavailable, "minimill is stopping",
              "try again once it has started anew");
}

}  // namespace

struct Slot::State {
  State(asio::any_io_executor the_executor, SchedulerOptions options)
      : executor(std::move(the_executor)), scheduler(options) {}

  /// Gives free slots to whoever is next.
  void start_waiting(route::Lane lane) {
    if (closed) return;
    while (const std::optional<TicketId> ticket = scheduler.start_next(lane)) {
      running.emplace(*ticket, Running{lane, std::chrono::steady_clock::now()});
      const auto waiter = waiters.find(*ticket);
      waiter->second->started = true;
      waiter->second->timer.cancel();
    }
  }

  void finish(TicketId ticket) {
    scheduler.finish(ticket);
    if (const auto node = running.extract(ticket)) {
      const auto held = std::chrono::steady_clock::now() - node.mapped().since;
      double& usual = usual_hold_s[route::index(node.mapped().lane)];
      const double seconds = std::chrono::duration<double>(held).count();
      usual = usual == 0 ? seconds : usual + kForget * (seconds - usual);
    }
    start_waiting(route::Lane::kLocal);
    start_waiting(route::Lane::kCloud);
  }

  /// When a place in the lane's queue is likely to be free: as soon as the next of its slots is.
  std::chrono::milliseconds retry_after(route::Lane lane) const {
    const int slots = scheduler.options().slots[route::index(lane)];
    const double seconds = usual_hold_s[route::index(lane)] / std::max(slots, 1);
    const auto wait = std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1000)};
    return std::clamp(wait, kShortestRetry, kLongestRetry);
  }

  struct Running {
    route::Lane lane;
    std::chrono::steady_clock::time_point since;
  };

  asio::any_io_executor executor;
  Scheduler scheduler;
  std::unordered_map<TicketId, std::shared_ptr<Waiter>> waiters;
  std::unordered_map<TicketId, Running> running;
  std::array<double, route::kLaneCount> usual_hold_s{};  // a decaying mean
  TicketId next_ticket = 1;
  bool closed = false;
  bool turning_away = false;  // whoever is not a background task
};

Slot::Slot(Slot&& other) noexcept
    : state_(std::exchange(other.state_, {})),
      ticket_(std::exchange(other.ticket_, 0)),
      waited_(other.waited_) {}

Slot& Slot::operator=(Slot&& other) noexcept {
  std::swap(state_, other.state_);
  std::swap(ticket_, other.ticket_);
  waited_ = other.waited_;
  Slot given_back(std::move(other));
  return *this;
}

Slot::~Slot() {
  if (ticket_ == 0) return;
  if (const auto state = state_.lock()) state->finish(ticket_);
}

Lanes::Lanes(asio::any_io_executor executor, SchedulerOptions options)
    : state_(std::make_shared<Slot::State>(std::move(executor), options)) {}

Lanes::~Lanes() {
  state_->closed = true;
  for (auto& [ticket, waiter] : state_->waiters) waiter->timer.cancel();
}

asio::awaitable<Result<Slot>> Lanes::enter(
    route::Lane lane, Priority priority,
    std::optional<std::chrono::steady_clock::time_point> deadline) {
  const auto state = state_;  // outlives this object while somebody waits
  const TicketId ticket = state->next_ticket++;
  if (state->turning_away && priority == Priority::kInteractive) co_return stopping();
  if (Result<> queued = state->scheduler.enqueue(ticket, lane, priority); !queued) {
    queued.error().retry_after = state->retry_after(lane);
    co_return std::unexpected(std::move(queued.error()));
  }
  Slot slot;
  const auto waiter = std::make_shared<Waiter>(state->executor);
  waiter->interactive = priority == Priority::kInteractive;
  if (deadline) waiter->timer.expires_at(*deadline);
  state->waiters.emplace(ticket, waiter);
  state->start_waiting(lane);
  // A cancellation from before would not end the wait below.
  co_await asio::this_coro::throw_if_cancelled(false);
  const asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
  const bool cancelled = cancellation.cancelled() != asio::cancellation_type::none;
  if (!waiter->started && !cancelled) {
    const auto since = std::chrono::steady_clock::now();
    // The turn may come while a cancellation is under way; what counts is `started`.
    co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
    slot.waited_ = std::chrono::steady_clock::now() - since;
  }
  state->waiters.erase(ticket);
  if (waiter->started) {
    slot.state_ = state;
    slot.ticket_ = ticket;
    co_return slot;
  }
  state->scheduler.withdraw(ticket);
  if (state->closed || waiter->turned_away) co_return stopping();
  if (deadline && std::chrono::steady_clock::now() >= *deadline) {
    co_return fail(ErrorCode::kTimeout, "the deadline passed while the request waited its turn",
                   "allow more time, or come back when there is less to do");
  }
  co_return fail(ErrorCode::kCancelled, "left the queue");
}

void Lanes::turn_away() {
  state_->turning_away = true;
  for (auto& [ticket, waiter] : state_->waiters) {
    if (waiter->started || !waiter->interactive) continue;
    waiter->turned_away = true;
    waiter->timer.cancel();
  }
}

std::size_t Lanes::waiting(route::Lane lane) const { return state_->scheduler.waiting(lane); }
int Lanes::running(route::Lane lane) const { return state_->scheduler.running(lane); }
int Lanes::slots(route::Lane lane) const {
  return state_->scheduler.options().slots[route::index(lane)];
}

}  // namespace minimill::lane
