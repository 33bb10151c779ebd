#include "daemon/task_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <span>
#include <utility>

#include "base/log.h"
#include "daemon/gateway.h"
#include "route/confidence.h"
#include "route/learnt.h"

namespace minimill::daemon {
namespace {

constexpr std::size_t kIntakePage = 64;  // decided in one go; then others have the loop
constexpr Millis kFirstBackoff{500};     // doubles with every attempt
constexpr Millis kMaxBackoff{60'000};
constexpr std::chrono::seconds kStoreRetry{1};  // after the store could not be read

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

TaskRunner::TaskRunner(asio::io_context& io, const Clock& clock, IdSource& ids,
                       const Config& config, route::Router& router, TaskJudge& judge,
                       BatchRunner& batches, ModelSelector& selector, Backends& backends,
                       lane::Lanes& lanes, lane::TaskStore& store, ledger::Ledger& ledger)
    : io_(io),
      clock_(clock),
      ids_(ids),
      config_(config),
      router_(router),
      judge_(judge),
      batches_(batches),
      selector_(selector),
      backends_(backends),
      lanes_(lanes),
      store_(store),
      ledger_(ledger),
      intake_wake_(io.get_executor()),
      lane_wake_{Wake(io.get_executor()), Wake(io.get_executor())},
      save_wake_(io.get_executor()),
      loops_done_(io.get_executor()) {}

void TaskRunner::spawn(asio::awaitable<void> loop) {
  auto& signal = loops_.emplace_back(std::make_unique<asio::cancellation_signal>());
  ++loops_running_;
  auto ended = [this](const std::exception_ptr& failure) {
    --loops_running_;
    loops_done_.notify();
    if (!failure || stopping_) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      log::error("a task worker ended: {}", error.what());
    }
  };
  asio::co_spawn(io_, std::move(loop),
                 asio::bind_cancellation_slot(signal->slot(), std::move(ended)));
}

void TaskRunner::start() {
  spawn(intake());
  spawn(keep_learnt());
  for (const route::Lane lane : {route::Lane::kLocal, route::Lane::kCloud}) {
    for (int i = 0; i < lanes_.slots(lane); ++i) spawn(worker(lane));
  }
}

asio::awaitable<void> TaskRunner::stop() {
  stopping_ = true;
  for (const auto& loop : loops_) loop->emit(asio::cancellation_type::terminal);
  while (loops_running_ > 0) co_await loops_done_.wait();
}

void TaskRunner::wake() {
  cursor_ = {};
  intake_wake_.notify();
}

asio::awaitable<void> TaskRunner::intake() {
  Result<> requeued = co_await store_.requeue_running();
  if (!requeued) log::error("tasks: {}", requeued.error().to_string());
  while (!stopping_) {
    const WallTime now = clock_.wall();
    Result<> taken = take_due();
    if (!taken) log::error("tasks: {}", taken.error().to_string());
    Result<std::optional<WallTime>> next = store_.next_due(cursor_);
    if (!taken || !next) {
      co_await intake_wake_.wait_until(clock_.steady() + kStoreRetry);
    } else if (!*next) {
      co_await intake_wake_.wait();
    } else if (**next > now) {
      co_await intake_wake_.wait_until(clock_.steady() + (**next - now));
    } else {
      co_await asio::post(io_, asio::use_awaitable);  // more to take: others first
    }
  }
}

Result<> TaskRunner::take_due() {
  Result<std::vector<lane::DueTask>> due = store_.due(clock_.wall(), cursor_, kIntakePage);
  if (!due) return std::unexpected(std::move(due.error()));
  for (const lane::DueTask& task : *due) {
    if (Result<> taken = take(task); !taken) return taken;
    cursor_ = task.cursor;
  }
  return {};
}

Result<> TaskRunner::take(const lane::DueTask& due) {
  if (held_.contains({due.run, due.id})) return {};
  Result<std::optional<lane::Task>> task = store_.find(due.id, due.run);
  if (!task) return std::unexpected(std::move(task.error()));
  if (!*task || (*task)->state != lane::TaskState::kQueued) return {};
  held_.emplace(due.run, due.id);
  Result<route::Decision> decision = router_.meet(judge_.route_input(**task));
  if (decision && batches_.takes(**task, *decision)) {
    batches_.add(**task, std::move(*decision));
    return {};
  }
  // Where nothing can serve it now, the local lane's worker finds that out and plans the retry.
  const route::Lane lane = decision ? decision->lane : route::Lane::kLocal;
  enqueue({.run = due.run, .id = due.id}, lane);
  return {};
}

void TaskRunner::let_go(const RunId& run, const TaskId& id) {
  held_.erase({run, id});
  wake();
}

void TaskRunner::enqueue(Ref ref, route::Lane lane) {
  queues_[route::index(lane)].push_back(std::move(ref));
  lane_wake_[route::index(lane)].notify();
}

asio::awaitable<void> TaskRunner::worker(route::Lane lane) {
  auto& queue = queues_[route::index(lane)];
  while (!stopping_) {
    if (queue.empty()) {
      co_await lane_wake_[route::index(lane)].wait();
      continue;
    }
    Ref ref = std::move(queue.front());
    queue.pop_front();
    Result<> carried = co_await carry_out(ref, lane);
    if (!carried) log::warn("task {}: {}", ref.id.value, carried.error().to_string());
  }
}

asio::awaitable<Result<>> TaskRunner::carry_out(Ref ref, route::Lane lane) {
  Result<std::optional<lane::Task>> found = store_.find(ref.id, ref.run);
  if (!found || !*found || (*found)->state != lane::TaskState::kQueued) {
    release(ref);  // cancelled while it waited
    if (!found) co_return std::unexpected(std::move(found.error()));
    co_return Result<>{};
  }
  lane::Task task = std::move(**found);

  // What was learnt while the task waited may have changed its lane; once, so that it cannot
  // bounce.
  Result<route::Decision> decision = decide(task);
  if (decision && batches_.takes(task, *decision)) {
    batches_.add(task, std::move(*decision));
    co_return Result<>{};
  }
  if (decision && decision->lane != lane && !ref.settled) {
    ref.settled = true;
    enqueue(std::move(ref), decision->lane);
    co_return Result<>{};
  }

  Result<lane::Slot> slot = co_await lanes_.enter(lane, lane::Priority::kBackground);
  if (!slot) {
    release(ref);
    co_return std::unexpected(std::move(slot.error()));
  }
  const WallTime now = clock_.wall();
  task.lane = lane;
  task.batched = false;
  Result<> leased = co_await store_.lease(task, now, now + lease_time());
  if (!leased) {
    release(ref);
    co_return leased;
  }
  task.state = lane::TaskState::kRunning;
  task.attempts += 1;
  if (!task.started) task.started = now;

  if (decision) {
    co_await attempt(task, lane, *decision, std::move(*slot));
  } else {
    plan_retry(task, decision.error());
  }
  const bool to_cloud =
      task.state == lane::TaskState::kQueued && task.escalated && lane == route::Lane::kLocal;
  Result<> saved = co_await store_.save(task);
  if (to_cloud && saved) {
    ref.settled = true;
    enqueue(std::move(ref), route::Lane::kCloud);
  } else {
    release(ref);
    intake_wake_.notify();  // it may be queued again, for later
  }
  co_return saved;
}

asio::awaitable<void> TaskRunner::attempt(lane::Task& task, route::Lane lane,
                                          route::Decision decision, lane::Slot slot) {
  decision.model = selector_.default_model(lane);
  task.request = ids_.request();
  task.operation = decision.operation;
  task.model = decision.model;
  ledger::RequestRecord record{.id = task.request,
                               .at = clock_.wall(),
                               .app = kTasksApp,
                               .task = task.spec.id,
                               .run = task.run,
                               .trace = {},
                               .model_asked = std::string(kAuto),
                               .stream = false,
                               .privacy = std::string(policy::name(task.spec.privacy)),
                               .decision = decision,
                               .attempts = {},
                               .status = 0};
  ledger::Attempt row;
  row.lane = lane;
  row.backend = backends_.backend_name(lane, decision.model);
  row.model = decision.model;
  row.queued_ms = in_ms(slot.waited());

  chat::ChatRequest request = judge_.chat_request(task, lane);
  request.logprobs = lane == route::Lane::kLocal && !task.spec.check.is_null();
  const SteadyTime began = clock_.steady();
  Result<chat::ChatAnswer> answer =
      co_await backends_.complete(lane, decision.model, request, task.spec.privacy);
  slot = {};

  const auto took = clock_.steady() - began;
  row.duration_ms = in_ms(took);
  (lane == route::Lane::kLocal ? task.local_s : task.cloud_s) += seconds(took);
  if (answer) {
    row.usage = answer->usage;
    row.cost_usd = backends_.cost_usd(lane, decision.model, answer->usage);
    task.prompt_tokens += answer->usage.prompt_tokens;
    task.completion_tokens += answer->usage.completion_tokens;
    task.cost_usd += row.cost_usd;
    task.all_cloud_cost_usd = backends_.cloud_cost_usd(answer->usage);
  } else {
    row.error = answer.error().message;
  }
  record.attempts.push_back(std::move(row));
  ledger_.record(std::move(record));
  if (answer) {
    judge_.judge(task, lane, *answer);
    if (request.logprobs && !answer->logprobs.empty() && task.local_passed) {
      const std::span<const chat::TokenLogprob> first(
          answer->logprobs.data(), std::min(answer->logprobs.size(), kWatchedTokens));
      router_.learn_confidence(decision.p_local_ok, route::mean_logprob(first), *task.local_passed);
    }
  } else if (lane == route::Lane::kLocal && task.attempts > 1 && judge_.may_escalate(task)) {
    judge_.escalate(task, answer.error().message);
  } else {
    plan_retry(task, answer.error());
  }
}

void TaskRunner::plan_retry(lane::Task& task, const Error& error) {
  task.error = error.to_string();
  const bool hopeless = error.code == ErrorCode::kInvalidArgument ||
                        error.code == ErrorCode::kUnauthorized ||
                        error.code == ErrorCode::kForbidden || error.code == ErrorCode::kTooLarge ||
                        error.code == ErrorCode::kUnsupported;
  if (hopeless || task.attempts >= config_.tasks.max_attempts) {
    task.state = lane::TaskState::kFailed;
    task.finished = clock_.wall();
    log::warn("task {} failed after {} attempts: {}", task.spec.id.value, task.attempts,
              task.error);
    return;
  }
  task.state = lane::TaskState::kQueued;
  task.not_before = clock_.wall() + error.retry_after.value_or(backoff(task.attempts));
}

void TaskRunner::release(const Ref& ref) { held_.erase({ref.run, ref.id}); }

Millis TaskRunner::lease_time() const { return std::chrono::seconds{config_.tasks.lease_s}; }

/// Exponential with full jitter, so that tasks that failed together do not return together.
Millis TaskRunner::backoff(int attempts) {
  const auto ceiling = std::min(kMaxBackoff, kFirstBackoff * (1 << std::min(attempts, 16)));
  std::uniform_int_distribution<Millis::rep> draw(ceiling.count() / 2, ceiling.count());
  return Millis{draw(jitter_)};
}

Result<route::Decision> TaskRunner::decide(const lane::Task& task) {
  Result<route::Decision> decision = router_.decide(judge_.route_input(task));
  if (decision && task.escalated) {
    decision->reasons.front() = {
        .layer = "escalation",
        .text = "the device has tried it, and its answer was not good enough",
        .weight = 0};
  }
  return decision;
}

/// What was learnt is saved at most once per kSaveEvery, and when stopping.
asio::awaitable<void> TaskRunner::keep_learnt() {
  constexpr std::chrono::seconds kSaveEvery{10};
  while (!stopping_) {
    co_await save_wake_.wait_until(clock_.steady() + kSaveEvery);
    save_learnt();
  }
}

void TaskRunner::save_learnt() {
  if (!learnt_) return;
  learnt_ = false;
  // A copy is made here; turning it into bytes is left to the writer's thread.
  ledger_.save_state(std::string(kRouterState),
                     [learnt = router_.snapshot()] { return learnt->encode(); });
}

}  // namespace minimill::daemon
