#include "tasks/batch_tender.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/sha256.h"
#include "ledger/decision_json.h"
#include "serve/record.h"
#include "tasks/task_judge.h"

namespace minimill::tasks {
namespace {

using protocol::BatchStatus;
using RemoteState = protocol::BatchState;

constexpr std::size_t kAtOnce = 16;  // tasks read or stored before others have the loop
constexpr std::chrono::seconds kFirstPoll{5};
constexpr std::chrono::seconds kFirstRetry{1};
constexpr std::chrono::hours kLongest{48};  // providers promise an end within 24
constexpr int kMaxUnread = 5;               // attempts at reading the results

/// A refusal that will not change.
bool is_hopeless(const Error& error) {
  return error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kUnauthorized ||
         error.code == ErrorCode::kForbidden || error.code == ErrorCode::kNotFound ||
         error.code == ErrorCode::kTooLarge || error.code == ErrorCode::kUnsupported ||
         error.code == ErrorCode::kContextExceeded;
}

chat::Decision decision_of(const Batch& batch, const BatchTask& item) {
  return {.lane = chat::Lane::kCloud,
          .model = batch.model,
          .operation = item.operation,
          .p_local_ok = item.p_local_ok,
          .threshold = item.threshold,
          .reasons = ledger::reasons_from_text(item.reasons)};
}

}  // namespace

BatchTender::BatchTender(const BatchTools& tools, Batch batch,
                         std::unique_ptr<cloud::BatchApi> client, bool resumed)
    : tools_(tools),
      batch_(std::move(batch)),
      client_(std::move(client)),
      resumed_(resumed),
      wake_(tools.io.get_executor()) {}

asio::awaitable<Result<>> BatchTender::carry_through() {
  if (!client_) {
    co_return fail(ErrorCode::kNotFound, fmt::format("no provider '{}' any more", batch_.provider));
  }
  Result<BatchStatus> ended = co_await send();
  if (ended) ended = co_await watch();
  if (!ended) co_return std::unexpected(std::move(ended.error()));
  co_return co_await finish(std::move(*ended));
}

asio::awaitable<void> BatchTender::close(Result<> done) {
  std::string error;
  if (!done) {
    error = done.error().to_string();
    log::warn("batch {}: {}", batch_.id.value, error);
    while (true) {  // a batch is not over while a task of it waits
      const Result<> given = co_await give_back_all(error);
      if (given) break;
      co_await wait_for_disk(given.error());
    }
  }
  const BatchState state = done ? BatchState::kEnded : BatchState::kFailed;
  BatchId id = batch_.id;
  const WallTime now = tools_.clock.wall();
  Result<> noted = co_await tools_.batches.end(std::move(id), state, std::move(error), now);
  if (!noted) log::error("batch {}: {}", batch_.id.value, noted.error().to_string());
}

/// What is on disk must be known before anything is done: it is looked at again after a while.
asio::awaitable<void> BatchTender::wait_for_disk(const Error& error) {
  log::error("batch {}: cannot be read: {}", batch_.id.value, error.to_string());
  co_await wake_.wait_until(tools_.clock.steady() + kFirstPoll);
}

/// Until the provider has it under an id that is on disk, or will not have it.
asio::awaitable<Result<BatchStatus>> BatchTender::send() {
  BatchStatus known;
  known.id = batch_.remote_id;
  if (!known.id.empty()) co_return known;
  bool look = resumed_;  // a daemon that is dead may have sent it
  Millis wait = kFirstRetry;
  while (true) {
    const Result<std::vector<BatchTask>> waiting = co_await still_waiting();
    Result<std::vector<cloud::BatchItem>> all = co_await items();
    if (!waiting || !all) {
      const Error& why = waiting ? all.error() : waiting.error();
      co_await wait_for_disk(why);
      continue;
    }
    if (waiting->empty()) all->clear();
    Result<BatchStatus> sent = co_await send_once(std::move(*all), look || waiting->empty());
    if (sent) {
      BatchId id = batch_.id;
      std::string remote_id = sent->id;
      Result<> confirmed =
          co_await tools_.batches.confirm(std::move(id), std::move(remote_id), tools_.clock.wall());
      if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
      log::info("batch {} is {} at {}", batch_.id.value, sent->id, batch_.provider);
      co_return sent;
    }
    const bool over = sent.error().code == ErrorCode::kCancelled ||
                      tools_.clock.wall() > batch_.created + kLongest;
    // A key that is missing now may have been there when a dead daemon sent it.
    const bool may_be_there = resumed_ && sent.error().code == ErrorCode::kUnauthorized;
    if (over || (is_hopeless(sent.error()) && !may_be_there)) co_return sent;
    log::warn("batch {}: not sent yet: {}", batch_.id.value, sent.error().to_string());
    look = true;  // whatever failed, it may be there now
    const SteadyTime again =
        tools_.clock.steady() + std::max(wait, sent.error().retry_after.value_or(wait));
    co_await wake_.wait_until(again);
    wait = std::min<Millis>(2 * wait, std::chrono::seconds{tools_.config.poll_s});
  }
}

/// `all`: what belongs to it; none where nobody waits for it any more.
asio::awaitable<Result<BatchStatus>> BatchTender::send_once(std::vector<cloud::BatchItem> all,
                                                            bool look) {
  if (look) {
    Result<std::optional<BatchStatus>> found =
        co_await client_->find(batch_.id.value, unix_s(batch_.created));
    if (!found) co_return std::unexpected(std::move(found.error()));
    if (*found) co_return std::move(**found);
  }
  if (all.empty()) co_return fail(ErrorCode::kCancelled, "none of its tasks waits any more");
  std::string body = co_await client_->write(all, batch_.model);
  const Result<> same = co_await note_body(sha256_hex(body));
  if (!same) co_return std::unexpected(same.error());
  co_return co_await client_->create(std::move(body), batch_.id.value);
}

/// That this is what is sent under its name, now and ever. Where something else was, and may be
/// there, it is not sent again.
asio::awaitable<Result<>> BatchTender::note_body(std::string hash) {
  if (batch_.body_hash.empty()) {
    BatchId id = batch_.id;
    std::string stored = hash;
    Result<> noted = co_await tools_.batches.note_body(std::move(id), std::move(stored));
    if (noted) batch_.body_hash = std::move(hash);
    co_return noted;
  }
  if (batch_.body_hash == hash) co_return Result<>{};
  // Whoever keeps names has been asked for it, and does not have it.
  if (client_->keeps_names()) {
    co_return fail(ErrorCode::kCancelled, "its tasks are not what they were when it was made");
  }
  co_return fail(ErrorCode::kUnavailable,
                 "its tasks are not what they were when it was sent, and it may be there: it is "
                 "not sent again, its tasks are taken back in their time");
}

/// All that belong to it, settled or not: a second attempt must say what the first one did. A task
/// that is gone, or whose row tells nothing, is left out; that no other body is sent than before,
/// note_body() sees to.
asio::awaitable<Result<std::vector<cloud::BatchItem>>> BatchTender::items() {
  std::vector<cloud::BatchItem> items;
  Result<std::vector<BatchTask>> tasks = tools_.batches.tasks_of(batch_.id);
  if (!tasks) co_return std::unexpected(std::move(tasks.error()));
  for (std::size_t i = 0; i < tasks->size(); ++i) {
    if (i % kAtOnce == kAtOnce - 1) co_await asio::post(tools_.io, asio::use_awaitable);
    const BatchTask& item = (*tasks)[i];
    const Result<std::optional<Task>> task = tools_.tasks.find(item.task, item.run);
    if (!task) co_return std::unexpected(task.error());
    if (!*task || !(*task)->unreadable.empty()) continue;
    policy::Request request = tools_.request_of(**task);
    Result<policy::Cleared<chat::ChatRequest>> cleared =
        policy::clear_for_cloud(std::move(request.chat), request.privacy);
    if (!cleared) continue;
    items.push_back({.custom_id = item.request.value, .request = std::move(*cleared)});
  }
  co_return items;
}

Result<> BatchTender::reserve(const BatchTask& item) {
  if (reserved_.contains(item.request.value)) return {};
  const Result<std::optional<Task>> task = tools_.tasks.find(item.task, item.run);
  if (!task) return std::unexpected(task.error());
  if (!*task) return {};
  reserved_.emplace(item.request.value, tools_.reserve(tools_.request_of(**task), item.operation));
  return {};
}

asio::awaitable<Result<std::vector<BatchTask>>> BatchTender::still_waiting() {
  std::vector<BatchTask> waiting;
  Result<std::vector<BatchTask>> tasks = tools_.batches.tasks_of(batch_.id);
  if (!tasks) co_return std::unexpected(std::move(tasks.error()));
  const WallTime now = tools_.clock.wall();
  for (BatchTask& task : *tasks) {
    if (task.state != BatchTaskState::kWaiting) continue;
    if (task.take_back > now) {
      Result<> reserved = reserve(task);
      if (!reserved) co_return std::unexpected(std::move(reserved.error()));
      waiting.push_back(std::move(task));
    } else {
      std::string why = "the batch would be too late: done at once instead";
      Result<> given = co_await give_back(std::move(task), std::move(why));
      if (!given) co_return std::unexpected(std::move(given.error()));
    }
  }
  co_return waiting;
}

/// Until it has ended at the provider.
asio::awaitable<Result<BatchStatus>> BatchTender::watch() {
  const Millis longest = std::chrono::seconds{tools_.config.poll_s};
  Millis interval = std::min<Millis>(kFirstPoll, longest);
  bool cancelled = false;
  while (true) {
    const Result<std::vector<BatchTask>> waiting = co_await still_waiting();
    const Result<std::optional<Batch>> found = tools_.batches.find(batch_.id);
    if (!waiting || !found || !*found) {
      Error gone = found ? Error{} : found.error();
      if (!waiting) gone = waiting.error();
      co_await wait_for_disk(gone);
      continue;
    }
    const Batch& current = **found;
    if (!cancelled && (waiting->empty() || current.cancel_asked)) {
      const Result<BatchStatus> asked = co_await client_->cancel(current.remote_id);
      // Refused: it has ended already. Anything else is tried again.
      cancelled = asked || is_hopeless(asked.error());
      interval = std::min<Millis>(kFirstPoll, longest);
    }
    Result<BatchStatus> status = co_await client_->poll(current.remote_id);
    if (status && (status->state == RemoteState::kEnded || status->state == RemoteState::kFailed)) {
      co_return status;
    }
    if (!status && status.error().code == ErrorCode::kNotFound) co_return status;
    if (tools_.clock.wall() > batch_.created + kLongest) {
      co_return fail(ErrorCode::kTimeout,
                     fmt::format("not ended at {} within {} h", batch_.provider, kLongest.count()));
    }
    if (!status) log::debug("batch {}: {}", batch_.id.value, status.error().to_string());
    SteadyTime next = tools_.clock.steady() + interval;
    for (const BatchTask& task : *waiting) {
      next = std::min(
          next, tools_.clock.steady() + std::max(Millis{1}, task.take_back - tools_.clock.wall()));
    }
    co_await wake_.wait_until(next);
    interval = std::min(2 * interval, longest);
  }
}

asio::awaitable<Result<>> BatchTender::finish(BatchStatus status) {
  if (status.state == RemoteState::kFailed) {
    co_return fail(ErrorCode::kUpstream,
                   fmt::format("failed at {}: {}", batch_.provider, status.error));
  }
  Result<cloud::BatchAnswers> answers = co_await read_results(status);
  if (!answers) {
    co_return std::unexpected(std::move(answers.error()).context("reading the results"));
  }
  while (true) {  // they are paid for, and here
    const Result<> settled = co_await settle_all(*answers);
    if (settled) break;
    co_await wait_for_disk(settled.error());
  }
  co_await client_->forget(status);
  co_return Result<>{};
}

asio::awaitable<Result<cloud::BatchAnswers>> BatchTender::read_results(BatchStatus status) {
  for (int tries = 1;;) {
    const Result<std::vector<BatchTask>> tasks = tools_.batches.tasks_of(batch_.id);
    if (!tasks) {
      co_await wait_for_disk(tasks.error());
      continue;
    }
    std::set<std::string> ids;
    for (const BatchTask& task : *tasks) ids.insert(task.request.value);
    Result<cloud::BatchAnswers> answers = co_await client_->results(status, std::move(ids));
    if (answers) co_return answers;
    const bool never = answers.error().code == ErrorCode::kNotFound ||
                       answers.error().code == ErrorCode::kTooLarge;
    if (tries++ == kMaxUnread || never) co_return answers;
    co_await wake_.wait_until(tools_.clock.steady() + kFirstPoll);
  }
}

/// May be done again: what is settled on disk is passed over.
asio::awaitable<Result<>> BatchTender::settle_all(const cloud::BatchAnswers& answers) {
  const Result<std::vector<BatchTask>> tasks = tools_.batches.tasks_of(batch_.id);
  if (!tasks) co_return std::unexpected(tasks.error());
  std::size_t count = 0;
  for (const BatchTask& task : *tasks) {
    if (count++ % kAtOnce == kAtOnce - 1) co_await asio::post(tools_.io, asio::use_awaitable);
    Result<chat::ChatAnswer> answer = answers.at(task.request.value);
    Result<> settled = co_await settle(task, std::move(answer));
    if (!settled) co_return settled;
  }
  co_return Result<>{};
}

/// The ledger's row of one answer; returns what it cost.
double BatchTender::record(const BatchTask& item, const Task& task, const chat::ChatAnswer& answer,
                           std::string error) {
  const WallTime now = tools_.clock.wall();
  ledger::Attempt row;
  row.lane = chat::Lane::kCloud;
  row.backend = batch_.provider;
  row.model = batch_.model;
  row.queued_ms = in_ms(batch_.created - task.due);
  row.duration_ms = in_ms(now - batch_.created);
  row.usage = answer.usage();
  row.cost_usd = tools_.prices.batch_cost_usd(batch_.provider, batch_.model, answer.usage());
  row.error = std::move(error);
  const double cost_usd = row.cost_usd;
  ledger::RequestRecord record =
      serve::record_of(tools_.request_of(task), item.request, batch_.created);
  record.decision = decision_of(batch_, item);
  record.attempts.push_back(std::move(row));
  tools_.observers.ended(std::move(record));
  return cost_usd;
}

asio::awaitable<Result<>> BatchTender::settle(BatchTask item, Result<chat::ChatAnswer> answer) {
  const bool waits = item.state == BatchTaskState::kWaiting;
  if (!answer) {
    if (!waits) co_return Result<>{};
    std::string why = answer.error().message;
    co_return co_await give_back(std::move(item), std::move(why));
  }
  Result<std::optional<Task>> found = tools_.tasks.find(item.task, item.run);
  if (!found) co_return std::unexpected(std::move(found.error()));
  if (!*found) co_return Result<>{};
  Task task = std::move(**found);
  BatchId id = batch_.id;
  RequestId request = item.request;
  Result<> stored;
  if (waits) {
    const double cost_usd = record(item, task, *answer, {});
    reserved_.erase(item.request.value);
    task.request = item.request;
    task.operation = item.operation;
    task.model = batch_.model;
    task.prompt_tokens += answer->usage().prompt_tokens;
    task.completion_tokens += answer->usage().completion_tokens;
    task.cost_usd += cost_usd;
    task.all_cloud_cost_usd = tools_.all_cloud_cost_usd(answer->usage());
    if (task.state == TaskState::kRunning && task.unreadable.empty()) {
      tools_.judge(task, *answer);
    } else if (task.state == TaskState::kRunning) {
      task.answer = answer->text();
      task.error = task.unreadable;
      task.state = TaskState::kFailed;
      task.finished = tools_.clock.wall();
    }
    stored = co_await tools_.batches.settle(tools_.tasks, std::move(id), std::move(request),
                                            BatchTaskState::kAnswered, std::move(task), cost_usd);
  } else if (item.state == BatchTaskState::kGivenBack) {
    std::string late = "answered by the batch after the task had been taken back";
    const double cost_usd = record(item, task, *answer, std::move(late));
    stored = co_await tools_.batches.note_late(std::move(id), std::move(request), cost_usd);
  }
  co_return stored;
}

asio::awaitable<Result<>> BatchTender::give_back(BatchTask item, std::string why) {
  Result<std::optional<Task>> found = tools_.tasks.find(item.task, item.run);
  if (!found) co_return std::unexpected(std::move(found.error()));
  if (!*found) co_return Result<>{};
  Task task = std::move(**found);
  task.batched = false;
  task.lane = chat::Lane::kCloud;
  task.error = std::move(why);
  task.not_before = tools_.clock.wall();
  if (task.state == TaskState::kRunning) task.state = TaskState::kQueued;
  BatchId id = batch_.id;
  RequestId request = item.request;
  Result<> stored = co_await tools_.batches.settle(tools_.tasks, std::move(id), std::move(request),
                                                   BatchTaskState::kGivenBack, std::move(task), 0);
  reserved_.erase(item.request.value);
  if (stored) tools_.let_go(item.run, item.task);
  co_return stored;
}

asio::awaitable<Result<>> BatchTender::give_back_all(std::string why) {
  const Result<std::vector<BatchTask>> tasks = tools_.batches.tasks_of(batch_.id);
  if (!tasks) co_return std::unexpected(tasks.error());
  for (const BatchTask& task : *tasks) {
    if (task.state != BatchTaskState::kWaiting) continue;
    std::string reason = why;
    Result<> given = co_await give_back(task, std::move(reason));
    if (!given) co_return given;
  }
  co_return Result<>{};
}

}  // namespace minimill::tasks
