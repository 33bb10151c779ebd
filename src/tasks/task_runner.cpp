#include "tasks/task_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <limits>
#include <utility>

#include "base/log.h"
#include "base/retry.h"
#include "serve/rung.h"

namespace minimill::tasks {
namespace {

constexpr std::size_t kIntakePage = 64;  // decided in one go; then others have the loop
constexpr Millis kMaxBackoff{60'000};
constexpr std::chrono::seconds kStoreRetry{1};  // after the store could not be read
constexpr int kMostSaves = 600;                 // then it is carried out again after a restart
constexpr std::chrono::seconds kLookAgain{5};   // whatever the timers say
constexpr std::chrono::microseconds kIntakeTime{500};  // of the loop's, in one go

chat::Reason out_of_reach() {
  return {.layer = std::string(chat::kDegraded),
          .text = "the cloud is out of reach, and the device does what it can",
          .weight = 0};
}

/// When its turn came, as the store orders by it.
WallTime turn_of(const Task& task) { return task.not_before.value_or(task.due); }

}  // namespace

TaskRunner::TaskRunner(asio::io_context& io, const Clock& clock, TaskJudge& judge,
                       serve::Service& service, std::vector<Executor*> executors,
                       lane::Lanes& lanes, TaskStore& store)
    : io_(io),
      clock_(clock),
      judge_(judge),
      service_(service),
      executors_(std::move(executors)),
      lanes_(lanes),
      store_(store),
      intake_wake_(io.get_executor()),
      policy_changes_(judge.policy_changes()),
      work_(io, "work on tasks") {
  for (Executor* executor : executors_) {
    executor->on_released([this](const RunId& run, const TaskId& id) { let_go(run, id); });
  }
}

void TaskRunner::start() { work_.start(intake()); }

asio::awaitable<void> TaskRunner::stop() {
  for (auto& [name, ticket] : held_) {
    if (ticket) lanes_.leave(*ticket);
  }
  co_await work_.stop();
}

void TaskRunner::wake() {
  cursor_ = {};
  intake_wake_.notify();
}

void TaskRunner::ready_since(WallTime at) {
  rewind(at);
  intake_wake_.notify();
}

void TaskRunner::rewind(WallTime at) {
  if (cursor_.ready_ms < unix_ms(at)) return;
  cursor_ = {.ready_ms = unix_ms(at) - 1, .row = std::numeric_limits<std::int64_t>::max()};
}

void TaskRunner::put_back(const Ref& ref, const Task& task) {
  release(ref);
  rewind(turn_of(task));  // without waking: what was full is full now
}

asio::awaitable<Result<>> TaskRunner::save(Task task) {
  Result<> saved = co_await store_.save(task);
  asio::steady_timer timer(io_);
  for (int tries = 0; !saved && !work_.stopping() && tries < kMostSaves; ++tries) {
    log::error("task {}: its state cannot be stored ({}); trying again", task.spec.id.value,
               saved.error().to_string());
    timer.expires_after(kStoreRetry);
    co_await timer.async_wait(asio::use_awaitable);
    saved = co_await store_.save(task);
  }
  co_return saved;
}

asio::awaitable<void> TaskRunner::intake() {
  // Of before rows said what holds.
  const Result<> labelled = co_await store_.label_unlabelled(judge_.default_privacy());
  if (!labelled) log::error("tasks: {}", labelled.error().to_string());
  Result<> requeued = co_await store_.requeue_running(clock_.wall(), kMaxBackoff);
  if (!requeued) log::error("tasks: {}", requeued.error().to_string());
  while (!work_.stopping()) {
    const WallTime now = clock_.wall();
    // Tasks that wait for the next day's budget may go again once it was changed.
    const std::uint64_t changes = judge_.policy_changes();
    if (std::exchange(policy_changes_, changes) != changes) {
      Result<> again = co_await store_.stop_waiting(now, kMaxBackoff);
      if (!again) log::error("tasks: {}", again.error().to_string());
      rewind(now);
    }
    Result<> taken = take_due();
    if (!taken) log::error("tasks: {}", taken.error().to_string());
    Result<std::optional<WallTime>> next = store_.next_due(cursor_);
    if (!taken || !next) {
      co_await intake_wake_.wait_until(clock_.steady() + kStoreRetry);
    } else if (!*next || **next > now) {
      const SteadyTime again = clock_.steady() + kLookAgain;
      const SteadyTime turn = *next ? clock_.steady() + (**next - now) : again;
      co_await intake_wake_.wait_until(std::min(turn, again));
    } else {
      co_await asio::post(io_, asio::use_awaitable);  // more to take: others first
    }
  }
}

Result<> TaskRunner::take_due() {
  Result<std::vector<DueTask>> due = store_.due(clock_.wall(), cursor_, kIntakePage);
  if (!due) return std::unexpected(std::move(due.error()));
  const SteadyTime began = clock_.steady();
  for (const DueTask& task : *due) {
    if (Result<> taken = take(task); !taken) return taken;
    cursor_ = task.cursor;
    if (clock_.steady() - began > kIntakeTime) break;
  }
  return {};
}

Result<> TaskRunner::take(const DueTask& due) {
  if (held_.contains({due.run, due.id})) return {};
  Result<std::optional<Task>> task = store_.find(due.id, due.run);
  if (!task && task.error().code == ErrorCode::kCorrupt) {
    log::error("task {}: passed over: {}", due.id.value, task.error().to_string());
    return {};  // the others are not to wait for what will not mend
  }
  if (!task) return std::unexpected(std::move(task.error()));
  if (!*task || (*task)->state != TaskState::kQueued) return {};
  if (!(*task)->unreadable.empty()) {
    held_[{due.run, due.id}].reset();
    work_.start(fail_unreadable(std::move(**task)));
    return {};
  }
  // Tried again it is no new work.
  const bool first = (*task)->attempts == 0 && (*task)->error.empty();
  const policy::Request request = request_of(**task, false);
  Result<chat::Decision> decision = first ? service_.meet(request) : service_.decide(request);
  Executor* taker = decision ? executor_of(**task, *decision, false) : nullptr;
  if (taker != nullptr) {
    held_[{due.run, due.id}].reset();
    work_.start(hand_over(*taker, std::move(**task), std::move(*decision)));
    return {};
  }
  // Where nothing can serve it now, that is found out in its turn, and a retry planned.
  if (!decision) decision = chat::Decision{};
  if (wait_turn({.run = due.run, .id = due.id}, **task, *decision)) return {};
  return fail(ErrorCode::kUnavailable, "too many tasks are due at once; the rest waits on disk");
}

/// Alone: what comes after it fails with it, all else goes on.
asio::awaitable<void> TaskRunner::fail_unreadable(Task task) {
  log::error("task {}: {}", task.spec.id.value, task.unreadable);
  const RunId run = task.run;
  const TaskId id = task.spec.id;
  task.state = TaskState::kFailed;
  task.error = task.unreadable;
  task.finished = clock_.wall();
  const Result<> saved = co_await save(std::move(task));
  if (saved) held_.erase({run, id});  // else it stays out of the way until the next start
}

bool TaskRunner::wait_turn(Ref ref, const Task& task, const chat::Decision& decision) {
  const Name name{ref.run, ref.id};
  ref.at_once = serve::is_rung(decision);
  if (ref.at_once) {
    held_[name].reset();
    work_.start(this->on_turn(std::move(ref), lane::Slot{}));
    return true;
  }
  auto on_turn = [this, ref = std::move(ref)](lane::Slot slot) {
    work_.start(this->on_turn(ref, std::move(slot)));
  };
  Result<lane::TicketId> ticket =
      lanes_.wait(service_.job(request_of(task, decision.degraded), decision, judge_.due(task)),
                  std::move(on_turn));
  if (!ticket) {
    held_.erase(name);
    return false;
  }
  held_[name] = *ticket;
  return true;
}

void TaskRunner::let_go(const RunId& run, const TaskId& id) {
  held_.erase({run, id});
  wake();
}

policy::Request TaskRunner::request_of(const Task& task, bool degraded) const {
  policy::Request request = judge_.request(task, task.escalated ? chat::Lane::kCloud : task.lane);
  if (degraded) request.choice.lane = chat::Lane::kLocal;
  return request;
}

asio::awaitable<void> TaskRunner::on_turn(Ref ref, lane::Slot slot) {
  held_[{ref.run, ref.id}].reset();
  const std::string id = ref.id.value;
  slot.set_end(lane::Scheduler::End::kCutShort);  // until there is an answer
  Result<> carried = co_await carry_out(std::move(ref), std::move(slot));
  if (!carried) log::warn("task {}: {}", id, carried.error().to_string());
}

asio::awaitable<Result<>> TaskRunner::carry_out(Ref ref, lane::Slot slot) {
  Result<std::optional<Task>> found = store_.find(ref.id, ref.run);
  if (!found || !*found || (*found)->state != TaskState::kQueued) {
    release(ref);  // cancelled while it waited
    if (!found) co_return std::unexpected(std::move(found.error()));
    co_return Result<>{};
  }
  Task task = std::move(**found);
  const chat::Lane lane = slot.lane();

  // What was learnt while the task waited may have changed its lane; once, so that it cannot
  // bounce.
  Result<chat::Decision> decision = decide(task, ref.degraded);
  if (ref.at_once && decision && !serve::is_rung(*decision)) {
    // The rung has changed its mind, and everybody else takes a slot.
    if (!wait_turn(std::move(ref), task, *decision)) ready_since(turn_of(task));
    co_return Result<>{};
  }
  if (slot.move() != lane::Move::kNone) {
    if (decision) {
      decision->lane = lane;
      decision->reasons.insert(decision->reasons.begin(), serve::move_reason(slot.move(), lane));
    }
  } else if (Executor* taker = decision ? executor_of(task, *decision, false) : nullptr) {
    co_await hand_over(*taker, std::move(task), std::move(*decision));
    co_return Result<>{};
  } else if (decision && decision->lane != lane && !ref.settled) {
    ref.settled = true;
    if (!wait_turn(std::move(ref), task, *decision)) ready_since(turn_of(task));
    co_return Result<>{};
  }

  const WallTime now = clock_.wall();
  task.lane = lane;
  task.batched = false;
  const WallTime until = now + Millis(judge_.options().lease);
  Result<> leased = co_await store_.lease(task, now, until);
  if (!leased) {
    put_back(ref, task);
    co_return leased;
  }
  task.state = TaskState::kRunning;
  task.attempts += 1;
  if (!task.started) task.started = now;

  Next next = Next::kNowhere;
  if (decision) {
    Executor& executor = *executor_of(task, *decision, true);
    next = co_await executor.carry_out(task, std::move(*decision), std::move(slot));
  } else {
    // Nobody was asked; a budget that is spent for today is no failure.
    if (decision.error().code == ErrorCode::kRateLimited) --task.attempts;
    judge_.plan_retry(task, decision.error());
  }
  Result<> saved = co_await save(task);
  if (next == Next::kNowhere || !saved) {
    release(ref);
    intake_wake_.notify();  // it may be queued again, for later
    co_return saved;
  }
  ref.settled = true;
  ref.degraded = next == Next::kToDevice;
  chat::Decision decided;
  decided.lane = ref.degraded ? chat::Lane::kLocal : chat::Lane::kCloud;
  decided.operation = task.operation;
  decided.degraded = ref.degraded;
  if (ref.degraded) decided.reasons.push_back(out_of_reach());
  if (!wait_turn(std::move(ref), task, decided)) ready_since(turn_of(task));
  co_return saved;
}

Executor* TaskRunner::executor_of(const Task& task, const chat::Decision& decision,
                                  bool with_slot) const {
  const auto found = std::ranges::find_if(executors_, [&](const Executor* one) {
    return one->needs_slot() == with_slot && one->takes(task, decision);
  });
  return found == executors_.end() ? nullptr : *found;
}

asio::awaitable<void> TaskRunner::hand_over(Executor& executor, Task task,
                                            chat::Decision decision) {
  lane::Slot none;
  static_cast<void>(co_await executor.carry_out(task, std::move(decision), std::move(none)));
}

void TaskRunner::release(const Ref& ref) { held_.erase({ref.run, ref.id}); }

Result<chat::Decision> TaskRunner::decide(const Task& task, bool degraded) {
  Result<chat::Decision> decision = service_.decide(request_of(task, degraded));
  if (decision && task.escalated) {
    decision->set_rule({.layer = "escalation",
                        .text = "the device has tried it, and its answer was not good enough",
                        .weight = 0});
  } else if (decision && degraded) {
    decision->degraded = true;
    decision->set_rule(out_of_reach());
  }
  return decision;
}

}  // namespace minimill::tasks
