#include "tasks/task_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <limits>
#include <span>
#include <utility>

#include "base/log.h"
#include "route/confidence.h"
#include "route/learnt.h"
#include "serve/gateway.h"

namespace minimill::tasks {
namespace {

constexpr std::size_t kIntakePage = 64;  // decided in one go; then others have the loop
constexpr Millis kFirstBackoff{500};     // doubles with every attempt
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
WallTime turn_of(const tasks::Task& task) { return task.not_before.value_or(task.due); }

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

}  // namespace

TaskRunner::TaskRunner(asio::io_context& io, const Clock& clock, IdSource& ids,
                       const config::Config& config, route::Router& router, TaskJudge& judge,
                       BatchRunner& batches, serve::ModelSelector& selector,
                       serve::Engines& engines, serve::Backends& backends, lane::Lanes& lanes,
                       const serve::JobPlanner& planner, serve::Spending& spending,
                       tasks::TaskStore& store, ledger::Ledger& ledger)
    : io_(io),
      clock_(clock),
      ids_(ids),
      config_(config),
      router_(router),
      judge_(judge),
      batches_(batches),
      selector_(selector),
      engines_(engines),
      backends_(backends),
      lanes_(lanes),
      planner_(planner),
      spending_(spending),
      store_(store),
      ledger_(ledger),
      intake_wake_(io.get_executor()),
      save_wake_(io.get_executor()),
      work_(io, "work on tasks") {}

void TaskRunner::start() {
  work_.start(intake());
  work_.start(keep_learnt());
}

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

void TaskRunner::put_back(const Ref& ref, const tasks::Task& task) {
  release(ref);
  rewind(turn_of(task));  // without waking: what was full is full now
}

asio::awaitable<Result<>> TaskRunner::save(tasks::Task task) {
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
  const Result<> labelled = co_await store_.label_unlabelled(config_.privacy);
  if (!labelled) log::error("tasks: {}", labelled.error().to_string());
  Result<> requeued = co_await store_.requeue_running(clock_.wall(), kMaxBackoff);
  if (!requeued) log::error("tasks: {}", requeued.error().to_string());
  while (!work_.stopping()) {
    spending_.look_again();
    const WallTime now = clock_.wall();
    if (std::exchange(money_changed_, false)) {
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
  Result<std::vector<tasks::DueTask>> due = store_.due(clock_.wall(), cursor_, kIntakePage);
  if (!due) return std::unexpected(std::move(due.error()));
  const SteadyTime began = clock_.steady();
  for (const tasks::DueTask& task : *due) {
    if (Result<> taken = take(task); !taken) return taken;
    cursor_ = task.cursor;
    if (clock_.steady() - began > kIntakeTime) break;
  }
  return {};
}

Result<> TaskRunner::take(const tasks::DueTask& due) {
  if (held_.contains({due.run, due.id})) return {};
  Result<std::optional<tasks::Task>> task = store_.find(due.id, due.run);
  if (!task) return std::unexpected(std::move(task.error()));
  if (!*task || (*task)->state != tasks::TaskState::kQueued) return {};
  Result<chat::Decision> decision = router_.meet(judge_.route_input(**task));
  if (decision && batches_.takes(**task, *decision)) {
    held_[{due.run, due.id}].reset();
    batches_.add(**task, std::move(*decision));
    return {};
  }
  // Where nothing can serve it now, that is found out in its turn, and a retry planned.
  if (!decision) decision = chat::Decision{};
  if (wait_turn({.run = due.run, .id = due.id}, **task, *decision)) return {};
  return fail(ErrorCode::kUnavailable, "too many tasks are due at once; the rest waits on disk");
}

bool TaskRunner::wait_turn(Ref ref, const tasks::Task& task, const chat::Decision& decision) {
  const Name name{ref.run, ref.id};
  auto on_turn = [this, ref = std::move(ref)](lane::Slot slot) {
    work_.start(this->on_turn(ref, std::move(slot)));
  };
  Result<lane::TicketId> ticket =
      lanes_.wait(planner_.job(work_of(task, decision)), std::move(on_turn));
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

serve::Work TaskRunner::work_of(const tasks::Task& task, const chat::Decision& decision) const {
  const bool local = decision.lane == chat::Lane::kLocal;
  serve::Work work{
      .app = asks_as(task),
      .priority = lane::Priority::kBackground,
      .lane = decision.lane,
      .model = selector_.default_model(decision.lane),
      .operation = decision.operation,
      .prompt_bytes = task.prompt().size(),
      .max_tokens = local ? std::min(config_.tasks.max_tokens, config_.local.max_answer_tokens)
                          : config_.tasks.max_tokens,
      .may_move = local && judge_.may_escalate(task) && chat::degraded(decision).empty() &&
                  backends_.cloud_ready(),
      .deadline = {}};
  if (task.spec.deadline_s) {
    const auto after = std::chrono::duration<double>(*task.spec.deadline_s);
    const WallTime deadline = task.due + std::chrono::duration_cast<Millis>(after);
    work.deadline = clock_.steady() + (deadline - clock_.wall());
  }
  return work;
}

asio::awaitable<void> TaskRunner::on_turn(Ref ref, lane::Slot slot) {
  held_[{ref.run, ref.id}].reset();
  const std::string id = ref.id.value;
  Result<> carried = co_await carry_out(std::move(ref), std::move(slot));
  if (!carried) log::warn("task {}: {}", id, carried.error().to_string());
}

asio::awaitable<Result<>> TaskRunner::carry_out(Ref ref, lane::Slot slot) {
  Result<std::optional<tasks::Task>> found = store_.find(ref.id, ref.run);
  if (!found || !*found || (*found)->state != tasks::TaskState::kQueued) {
    release(ref);  // cancelled while it waited
    if (!found) co_return std::unexpected(std::move(found.error()));
    co_return Result<>{};
  }
  tasks::Task task = std::move(**found);
  const chat::Lane lane = slot.lane();

  // What was learnt while the task waited may have changed its lane; once, so that it cannot
  // bounce.
  Result<chat::Decision> decision = decide(task, ref.degraded);
  if (slot.move() != lane::Move::kNone) {
    if (decision) {
      decision->lane = lane;
      decision->reasons.insert(decision->reasons.begin(), serve::move_reason(slot.move(), lane));
    }
  } else if (decision && batches_.takes(task, *decision)) {
    batches_.add(task, std::move(*decision));
    co_return Result<>{};
  } else if (decision && decision->lane != lane && !ref.settled) {
    ref.settled = true;
    if (!wait_turn(std::move(ref), task, *decision)) ready_since(turn_of(task));
    co_return Result<>{};
  }

  const WallTime now = clock_.wall();
  task.lane = lane;
  task.batched = false;
  Result<> leased = co_await store_.lease(task, now, now + lease_time());
  if (!leased) {
    put_back(ref, task);
    co_return leased;
  }
  task.state = tasks::TaskState::kRunning;
  task.attempts += 1;
  if (!task.started) task.started = now;

  Next next = Next::kNowhere;
  if (decision) {
    next = co_await attempt(task, lane, *decision, std::move(slot));
  } else {
    // Nobody was asked; a budget that is spent for today is no failure.
    if (decision.error().code == ErrorCode::kRateLimited) --task.attempts;
    plan_retry(task, decision.error());
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
  if (ref.degraded) decided.reasons.push_back(out_of_reach());
  if (!wait_turn(std::move(ref), task, decided)) ready_since(turn_of(task));
  co_return saved;
}

asio::awaitable<TaskRunner::Next> TaskRunner::attempt(tasks::Task& task, chat::Lane lane,
                                                      chat::Decision decision, lane::Slot slot) {
  decision.model = selector_.default_model(lane);
  task.request = ids_.request();
  task.operation = decision.operation;
  task.model = decision.model;
  ledger::RequestRecord record{.id = task.request,
                               .at = clock_.wall(),
                               .app = asks_as(task),
                               .task = task.spec.id,
                               .run = task.run,
                               .trace = {},
                               .model_asked = std::string(serve::kAuto),
                               .stream = false,
                               .privacy = std::string(policy::name(task.privacy())),
                               .decision = decision,
                               .attempts = {},
                               .status = 0};
  ledger::Attempt row;
  row.lane = lane;
  row.backend = backends_.backend_name(lane, decision.model);
  row.model = decision.model;
  row.queued_ms = in_ms(slot.waited());

  chat::ChatRequest request = judge_.chat_request(task, lane);
  request.logprobs = lane == chat::Lane::kLocal && !task.spec.check.is_null();
  serve::CloudCall call;
  call.operation = decision.operation;
  call.any_model = true;
  policy::Budgets::Hold hold;
  if (lane == chat::Lane::kCloud) {
    hold = spending_.hold(asks_as(task), task.operation,
                          planner_.expected_usd(work_of(task, decision)));
  }
  const SteadyTime began = clock_.steady();
  Result<chat::ChatAnswer> answer =
      co_await backends_.complete(lane, decision.model, request, task.privacy(), call);
  slot = {};

  const auto took = clock_.steady() - began;
  row.duration_ms = in_ms(took);
  (lane == chat::Lane::kLocal ? task.local_s : task.cloud_s) += seconds(took);
  if (answer) {
    row.usage = answer->usage();
    if (!call.done.provider.empty()) {
      row.backend = call.done.provider;
      row.model = call.done.model;
      row.duration_ms = in_ms(clock_.steady() - call.done.began);
      task.model = row.model;
    }
    row.cost_usd = backends_.cost_usd(lane, row.backend, row.model, answer->usage());
    task.prompt_tokens += answer->usage().prompt_tokens;
    task.completion_tokens += answer->usage().completion_tokens;
    task.cost_usd += row.cost_usd;
    task.all_cloud_cost_usd = backends_.cloud_cost_usd(answer->usage());
  } else {
    row.error = answer.error().message;
  }
  record.attempts.push_back(std::move(row));
  serve::add_cloud_attempts(record, call.done);
  ledger_.record(std::move(record));
  if (answer) {
    judge_.judge(task, lane, *answer);
    if (lane == chat::Lane::kCloud && task.cloud_passed) {
      backends_.judged(call.done.provider, call.done.model, decision.operation, *task.cloud_passed);
    }
    if (request.logprobs && !answer->logprobs().empty() && task.local_passed) {
      const std::span<const chat::TokenLogprob> first(
          answer->logprobs().data(), std::min(answer->logprobs().size(), serve::kWatchedTokens));
      router_.learn_confidence(decision.p_local_ok, route::mean_logprob(first), *task.local_passed);
    }
    const bool escalated = task.state == tasks::TaskState::kQueued;
    co_return escalated ? Next::kToCloud : Next::kNowhere;
  }
  const bool lasting = task.attempts > 1 || answer.error().code == ErrorCode::kTooLarge;
  if (lane == chat::Lane::kLocal && lasting && judge_.may_escalate(task)) {
    judge_.escalate(task, answer.error().message);
    co_return Next::kToCloud;
  }
  if (lane == chat::Lane::kCloud && may_degrade(task, answer.error())) {
    task.error = answer.error().to_string();
    task.state = tasks::TaskState::kQueued;
    co_return Next::kToDevice;
  }
  plan_retry(task, answer.error());
  co_return Next::kNowhere;
}

/// Only once it is more than a moment's trouble, and not for what the device has failed at.
bool TaskRunner::may_degrade(const tasks::Task& task, const Error& from_cloud) const {
  const bool out_of_reach =
      from_cloud.code == ErrorCode::kUnavailable || from_cloud.code == ErrorCode::kTimeout;
  return out_of_reach && task.attempts > 1 && !task.escalated && config_.lanes.accept_degraded &&
         engines_.default_available();
}

void TaskRunner::plan_retry(tasks::Task& task, const Error& error) {
  const std::string local_reason = task.escalated ? task.error : "";
  task.error = error.to_string();
  task.failure = tasks::TaskFailure{
      .at = clock_.wall(), .attempt = task.attempts, .lane = task.lane, .error = task.error};
  const bool hopeless = error.code == ErrorCode::kInvalidArgument ||
                        error.code == ErrorCode::kUnauthorized ||
                        error.code == ErrorCode::kForbidden || error.code == ErrorCode::kTooLarge ||
                        error.code == ErrorCode::kUnsupported;
  if (hopeless || task.attempts >= config_.tasks.max_attempts) {
    if (error.code == ErrorCode::kTooLarge && !local_reason.empty()) {
      task.error = fmt::format("on the device: {}; in the cloud: {}", local_reason, task.error);
    }
    task.state = tasks::TaskState::kFailed;
    task.finished = clock_.wall();
    log::warn("task {} failed after {} attempts: {}", task.spec.id.value, task.attempts,
              task.error);
    return;
  }
  task.state = tasks::TaskState::kQueued;
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

Result<chat::Decision> TaskRunner::decide(const tasks::Task& task, bool degraded) {
  route::RouteInput input = judge_.route_input(task);
  if (degraded) input.forced = chat::Lane::kLocal;
  Result<chat::Decision> decision = router_.decide(input);
  if (decision && task.escalated) {
    decision->reasons.front() = {
        .layer = "escalation",
        .text = "the device has tried it, and its answer was not good enough",
        .weight = 0};
  } else if (decision && degraded) {
    decision->reasons.front() = out_of_reach();
  }
  return decision;
}

/// What was learnt is saved at most once per kSaveEvery, and when stopping.
asio::awaitable<void> TaskRunner::keep_learnt() {
  constexpr std::chrono::seconds kSaveEvery{10};
  while (!work_.stopping()) {
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

}  // namespace minimill::tasks
