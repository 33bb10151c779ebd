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
#include <vector>

namespace minimill::lane {
namespace {

/// Somebody waiting, and what is done when the turn has come, or never will.
struct Waiter {
  std::function<void(Slot)> on_turn;
  std::function<void()> on_closed;
  SteadyTime since{};
  bool interactive = false;
};

/// A coroutine that waits: woken by cancelling the timer.
struct Sleeper {
  explicit Sleeper(const asio::any_io_executor& executor)
      : timer(executor, asio::steady_timer::time_point::max()) {}
  asio::steady_timer timer;
  std::optional<Slot> slot;
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

double scheduler_seconds(SteadyTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

struct Slot::State : std::enable_shared_from_this<Slot::State> {
  State(asio::any_io_executor the_executor, SchedulerOptions options, double how_fast)
      : executor(std::move(the_executor)),
        scheduler(options),
        speed(how_fast),
        review(executor, SteadyTime::max()) {}

  double seconds_at(SteadyTime time) const { return speed * scheduler_seconds(time); }
  double now_s() const { return seconds_at(std::chrono::steady_clock::now()); }

  /// Gives free slots to whoever is next.
  void dispatch() {
    if (closed) return;
    const SteadyTime now = std::chrono::steady_clock::now();
    for (const chat::Lane lane : {chat::Lane::kLocal, chat::Lane::kCloud}) {
      while (const auto next = scheduler.start_next(lane, seconds_at(now))) {
        running.emplace(next->ticket, Running{lane, now});
        auto node = waiters.extract(next->ticket);
        Slot slot;
        slot.state_ = weak_from_this();
        slot.ticket_ = next->ticket;
        slot.waited_ = now - node.mapped().since;
        slot.lane_ = lane;
        slot.move_ = next->move;
        node.mapped().on_turn(std::move(slot));
      }
    }
    plan_review(now);
  }

  /// Waiting may become dearer than moving though nothing happens.
  void plan_review(SteadyTime now) {
    const std::optional<double> at = scheduler.review_at(seconds_at(now));
    if (!at) return;
    const std::chrono::duration<double> after((*at - seconds_at(now)) / speed);
    const SteadyTime time = now + std::chrono::ceil<SteadyTime::duration>(after);
    if (time >= review.expiry()) return;  // the one that is planned comes sooner
    review.expires_at(time);
    review.async_wait([weak = weak_from_this()](const boost::system::error_code& cancelled) {
      const auto state = weak.lock();
      if (!state || cancelled) return;
      state->review.expires_at(SteadyTime::max());
      state->dispatch();
    });
  }

  Result<TicketId> add(const Job& job, Waiter waiter) {
    const bool interactive = job.priority == Priority::kInteractive;
    if (closed || (turning_away && interactive)) return stopping();
    const TicketId ticket = next_ticket++;
    if (Result<> queued = scheduler.enqueue(ticket, job, now_s()); !queued) {
      queued.error().retry_after = retry_after(job.lane);
      return std::unexpected(std::move(queued.error()));
    }
    waiter.since = std::chrono::steady_clock::now();
    waiter.interactive = interactive;
    waiters.emplace(ticket, std::move(waiter));
    return ticket;
  }

  bool leave(TicketId ticket) {
    waiters.erase(ticket);
    return scheduler.withdraw(ticket);
  }

  void finish(TicketId ticket, Scheduler::End end) {
    scheduler.finish(ticket, now_s(), end);
    if (const auto node = running.extract(ticket)) {
      const auto held = std::chrono::steady_clock::now() - node.mapped().since;
      double& usual = usual_hold_s[chat::index(node.mapped().lane)];
      const double seconds = std::chrono::duration<double>(held).count();
      usual = usual == 0 ? seconds : usual + kForget * (seconds - usual);
    }
    dispatch();
  }

  /// When a place in the lane's queue is likely to be free: as soon as the next of its slots is.
  std::chrono::milliseconds retry_after(chat::Lane lane) const {
    const int slots = scheduler.options().slots[chat::index(lane)];
    const double seconds = usual_hold_s[chat::index(lane)] / std::max(slots, 1);
    const auto wait = std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1000)};
    return std::clamp(wait, kShortestRetry, kLongestRetry);
  }

  struct Running {
    chat::Lane lane;
    SteadyTime since;
  };

  asio::any_io_executor executor;
  Scheduler scheduler;
  double speed;
  asio::steady_timer review;  // expires never while none is planned
  std::unordered_map<TicketId, Waiter> waiters;
  std::unordered_map<TicketId, Running> running;
  PerLane<double> usual_hold_s{};  // a decaying mean
  TicketId next_ticket = 1;
  bool closed = false;
  bool turning_away = false;  // whoever is not a background task
};

Slot::Slot(Slot&& other) noexcept
    : state_(std::exchange(other.state_, {})),
      ticket_(std::exchange(other.ticket_, 0)),
      waited_(other.waited_),
      lane_(other.lane_),
      move_(other.move_),
      end_(other.end_) {}

Slot& Slot::operator=(Slot&& other) noexcept {
  std::swap(state_, other.state_);
  std::swap(ticket_, other.ticket_);
  waited_ = other.waited_;
  lane_ = other.lane_;
  move_ = other.move_;
  std::swap(end_, other.end_);
  Slot given_back(std::move(other));
  return *this;
}

Slot::~Slot() {
  if (ticket_ == 0) return;
  if (const auto state = state_.lock()) state->finish(ticket_, end_);
}

Lanes::Lanes(asio::any_io_executor executor, SchedulerOptions options, double speed)
    : state_(std::make_shared<Slot::State>(std::move(executor), options, speed)) {}

Lanes::~Lanes() {
  state_->closed = true;
  state_->review.cancel();
  auto waiters = std::exchange(state_->waiters, {});
  for (auto& [ticket, waiter] : waiters) {
    if (waiter.on_closed) waiter.on_closed();
  }
}

asio::awaitable<Result<Slot>> Lanes::enter(Job job, std::optional<SteadyTime> give_up) {
  const auto state = state_;  // outlives this object while somebody waits
  const auto sleeper = std::make_shared<Sleeper>(state->executor);
  if (give_up) sleeper->timer.expires_at(*give_up);
  Waiter waiter;
  waiter.on_turn = [sleeper](Slot slot) {
    sleeper->slot = std::move(slot);
    sleeper->timer.cancel();
  };
  waiter.on_closed = [sleeper] {
    sleeper->turned_away = true;
    sleeper->timer.cancel();
  };
  Result<TicketId> ticket = state->add(job, std::move(waiter));
  if (!ticket) co_return std::unexpected(std::move(ticket.error()));
  state->dispatch();
  // A cancellation from before would not end the wait below.
  co_await asio::this_coro::throw_if_cancelled(false);
  const asio::cancellation_state cancellation = co_await asio::this_coro::cancellation_state;
  const bool cancelled = cancellation.cancelled() != asio::cancellation_type::none;
  if (!sleeper->slot && !sleeper->turned_away && !cancelled) {
    // The turn may come while a cancellation is under way; what counts is the slot.
    co_await sleeper->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  }
  if (sleeper->slot) co_return std::move(*sleeper->slot);
  state->leave(*ticket);
  if (sleeper->turned_away) co_return stopping();
  if (give_up && std::chrono::steady_clock::now() >= *give_up) {
    co_return fail(ErrorCode::kTimeout, "the deadline passed while the request waited its turn",
                   "allow more time, or come back when there is less to do");
  }
  co_return fail(ErrorCode::kCancelled, "left the queue");
}

Result<TicketId> Lanes::wait(Job job, std::function<void(Slot)> on_turn) {
  Waiter waiter;
  // Not from within whoever gives a slot back, and a slot that nobody takes is given back.
  waiter.on_turn = [executor = state_->executor, on_turn = std::move(on_turn)](Slot slot) {
    asio::post(executor, [on_turn, held = std::make_shared<Slot>(std::move(slot))] {
      on_turn(std::move(*held));
    });
  };
  Result<TicketId> ticket = state_->add(job, std::move(waiter));
  if (ticket) state_->dispatch();
  return ticket;
}

bool Lanes::leave(TicketId ticket) { return state_->leave(ticket); }

void Lanes::turn_away() {
  state_->turning_away = true;
  std::vector<TicketId> interactive;
  for (const auto& [ticket, waiter] : state_->waiters) {
    if (waiter.interactive) interactive.push_back(ticket);
  }
  for (const TicketId ticket : interactive) {
    auto node = state_->waiters.extract(ticket);
    state_->scheduler.withdraw(ticket);
    if (node.mapped().on_closed) node.mapped().on_closed();
  }
}

void Lanes::set_slots(chat::Lane lane, int slots) {
  if (state_->scheduler.options().slots[chat::index(lane)] == slots) return;
  state_->scheduler.set_slots(lane, slots);
  state_->dispatch();
}

std::size_t Lanes::waiting(chat::Lane lane) const { return state_->scheduler.waiting(lane); }
std::vector<Scheduler::Waiter> Lanes::waiters(chat::Lane lane, std::size_t limit) const {
  return state_->scheduler.waiters(lane, limit, state_->now_s());
}
int Lanes::running(chat::Lane lane) const { return state_->scheduler.running(lane); }
int Lanes::slots(chat::Lane lane) const {
  return state_->scheduler.options().slots[chat::index(lane)];
}
int Lanes::task_slots(chat::Lane lane) const {
  return state_->scheduler.slots_for(lane, Priority::kBackground);
}
double Lanes::expected_wait_s(chat::Lane lane, Priority priority) const {
  return state_->scheduler.expected_wait_s(lane, priority, state_->now_s());
}

}  // namespace minimill::lane
