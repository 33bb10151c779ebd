#include "daemon/batch_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "base/log.h"
#include "ledger/decision_json.h"

namespace minimill::daemon {
namespace {

using protocol::BatchStatus;
using RemoteState = protocol::BatchState;

constexpr std::size_t kAtOnce = 16;  // tasks read or stored before others have the loop
constexpr std::chrono::seconds kFirstPoll{5};
constexpr std::chrono::seconds kFirstRetry{1};
constexpr std::chrono::hours kLongest{48};  // providers promise an end within 24
constexpr int kMaxUnread = 5;               // attempts at reading the results
constexpr std::string_view kSimCloud = "sim-cloud";

/// Where a batch API is known to be.
bool has_batches(const cloud::ProviderOptions& provider) {
  return provider.base_url == "https://api.openai.com/v1" ||
         provider.base_url == "https://api.anthropic.com" || provider.name == kSimCloud;
}

/// A refusal that will not change.
bool is_hopeless(const Error& error) {
  return error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kUnauthorized ||
         error.code == ErrorCode::kForbidden || error.code == ErrorCode::kNotFound ||
         error.code == ErrorCode::kTooLarge || error.code == ErrorCode::kUnsupported;
}

WallTime after(WallTime time, double seconds) {
  constexpr double kMsPerSecond = 1000;
  return time + Millis{static_cast<Millis::rep>(seconds * kMsPerSecond)};
}

/// Without an answer by then, what is left of the wait is used to do the task elsewhere.
WallTime take_back_time(const lane::Task& task, const BatchConfig& config) {
  constexpr double kMostOfWait = 0.25;
  const double wait_s = *task.spec.can_wait_s;
  return after(task.due, wait_s - std::min<double>(config.reserve_s, kMostOfWait * wait_s));
}

route::Decision decision_of(const lane::Batch& batch, const lane::BatchTask& item) {
  return {.lane = route::Lane::kCloud,
          .model = batch.model,
          .operation = item.operation,
          .p_local_ok = item.p_local_ok,
          .threshold = item.threshold,
          .reasons = ledger::reasons_from_text(item.reasons)};
}

}  // namespace

BatchRunner::BatchRunner(asio::io_context& io, const Clock& clock, IdSource& ids,
                         const BatchConfig& config, const ModelSelector& selector,
                         const Backends& backends, http::Client& client, TaskJudge& judge,
                         lane::TaskStore& tasks, lane::BatchStore& batches, ledger::Ledger& ledger)
    : io_(io),
      clock_(clock),
      ids_(ids),
      config_(config),
      selector_(selector),
      backends_(backends),
      client_(client),
      judge_(judge),
      tasks_(tasks),
      batches_(batches),
      ledger_(ledger),
      gather_wake_(io.get_executor()),
      loops_done_(io.get_executor()) {}

void BatchRunner::spawn(asio::awaitable<void> work) {
  const auto place = loops_.insert(loops_.end(), std::make_unique<asio::cancellation_signal>());
  auto ended = [this, place](const std::exception_ptr& failure) {
    loops_.erase(place);
    loops_done_.notify();
    if (!failure || stopping_) return;
    try {
      std::rethrow_exception(failure);
    } catch (const std::exception& error) {
      log::error("a batch is no longer tended: {}", error.what());
    }
  };
  asio::co_spawn(io_, std::move(work),
                 asio::bind_cancellation_slot((*place)->slot(), std::move(ended)));
}

void BatchRunner::start() { spawn(gather()); }

asio::awaitable<void> BatchRunner::stop() {
  stopping_ = true;
  for (const auto& loop : loops_) loop->emit(asio::cancellation_type::terminal);
  while (!loops_.empty()) co_await loops_done_.wait();
}

const cloud::Provider* BatchRunner::provider_named(const std::string& name) const {
  for (const cloud::Provider* provider : selector_.providers()) {
    if (provider->options().name == name) return provider;
  }
  return nullptr;
}

const cloud::Provider* BatchRunner::usable_provider(const std::string& model) const {
  const cloud::Provider* provider = selector_.provider_of(model);
  if (provider == nullptr) return nullptr;
  const bool usable = config_.providers.empty()
                          ? has_batches(provider->options())
                          : std::ranges::find(config_.providers, provider->options().name) !=
                                config_.providers.end();
  return usable ? provider : nullptr;
}

bool BatchRunner::takes(const lane::Task& task, const route::Decision& decision) const {
  if (!config_.enabled || stopping_ || !task.spec.can_wait_s) return false;
  if (decision.lane != route::Lane::kCloud) return false;
  if (task.attempts > 0 && !task.escalated) return false;
  if (task.spec.privacy != policy::Privacy::kAllow || under_way_.size() >= kMaxOpen) return false;
  if (after(task.due, *task.spec.can_wait_s - config_.min_wait_s) < clock_.wall()) return false;
  if (usable_provider(selector_.default_model(route::Lane::kCloud)) == nullptr) return false;
  const Result<bool> before = batches_.has_had(task.run, task.spec.id);
  return before && !*before;
}

void BatchRunner::add(const lane::Task& task, route::Decision decision) {
  if (gathered_.empty()) {
    gathered_since_ = clock_.steady();
    gathered_for_ = selector_.default_model(route::Lane::kCloud);
  }
  decision.reasons.insert(
      decision.reasons.begin(),
      {.layer = "batch",
       .text = fmt::format("it can wait {:.0f} s: sent in a batch at {:.0f} % of the price",
                           *task.spec.can_wait_s, 100 * config_.discount),
       .weight = 0});
  const std::size_t bytes = task.prompt().size();
  gathered_bytes_ += bytes;
  gathered_.push_back({.task = {.request = ids_.request(),
                                .run = task.run,
                                .task = task.spec.id,
                                .state = lane::BatchTaskState::kWaiting,
                                .take_back = take_back_time(task, config_),
                                .operation = decision.operation,
                                .p_local_ok = decision.p_local_ok,
                                .threshold = decision.threshold,
                                .reasons = ledger::reasons_to_text(decision.reasons)},
                       .bytes = bytes});
  gather_wake_.notify();
}

asio::awaitable<void> BatchRunner::gather() {
  Result<> resumed = co_await resume();
  if (!resumed) log::error("batches: {}", resumed.error().to_string());
  while (!stopping_) {
    if (gathered_.empty()) {
      co_await gather_wake_.wait();
      continue;
    }
    const SteadyTime due = gathered_since_ + std::chrono::seconds{config_.gather_s};
    const bool full = gathered_.size() >= static_cast<std::size_t>(config_.max_tasks) ||
                      gathered_bytes_ >= kMaxBatchBytes;
    if (full || clock_.steady() >= due) {
      co_await flush();
    } else {
      co_await gather_wake_.wait_until(due);
    }
  }
}

asio::awaitable<Result<>> BatchRunner::resume() {
  Result<std::vector<lane::Batch>> open = batches_.open_batches();
  if (!open) co_return std::unexpected(std::move(open.error()));
  for (const lane::Batch& batch : *open) tend_in_background(batch.id, true);
  co_return co_await batches_.requeue_strays();
}

/// As many as one batch may hold, but for one that alone is too large.
std::vector<lane::BatchTask> BatchRunner::next_batch() {
  std::vector<lane::BatchTask> tasks;
  std::size_t bytes = 0;
  while (!gathered_.empty() && tasks.size() < static_cast<std::size_t>(config_.max_tasks)) {
    Gathered& next = gathered_.front();
    if (!tasks.empty() && bytes + next.bytes > kMaxBatchBytes) break;
    bytes += next.bytes;
    tasks.push_back(std::move(next.task));
    gathered_.pop_front();
  }
  gathered_bytes_ -= bytes;
  gathered_since_ = clock_.steady();
  return tasks;
}

asio::awaitable<void> BatchRunner::flush() {
  lane::Batch batch;
  batch.id = ids_.batch();
  batch.model = gathered_for_;
  batch.created = clock_.wall();
  const cloud::Provider* provider = usable_provider(batch.model);
  batch.provider = provider == nullptr ? std::string{} : provider->options().name;
  std::vector<lane::BatchTask> tasks = next_batch();
  const std::vector<lane::BatchTask> taken = tasks;
  const BatchId id = batch.id;
  Result<> begun = co_await batches_.begin(std::move(batch), std::move(tasks));
  if (begun) {
    log::info("batch {}: {} tasks", id.value, taken.size());
    tend_in_background(id, false);
  } else {
    log::error("batch {}: {}", id.value, begun.error().to_string());
  }
  for (const lane::BatchTask& task : taken) let_go_(task.run, task.task);
}

void BatchRunner::tend_in_background(const BatchId& id, bool resumed) {
  auto tended = std::make_shared<UnderWay>(io_.get_executor());
  under_way_.emplace(id, tended);
  spawn(tend(id, std::move(tended), resumed));
}

asio::awaitable<Result<>> BatchRunner::cancel(BatchId id) {
  Result<> asked = co_await batches_.ask_cancel(id);
  if (const auto found = under_way_.find(id); asked && found != under_way_.end()) {
    found->second->wake.notify();
  }
  co_return asked;
}

asio::awaitable<void> BatchRunner::tend(BatchId id, Tended tended, bool resumed) {
  Result<std::optional<lane::Batch>> found = batches_.find(id);
  if (!found || !*found) {
    log::error("batch {}: {}", id.value, found ? "is gone" : found.error().to_string());
    under_way_.erase(id);
    co_return;
  }
  const lane::Batch batch = std::move(**found);
  Result<> done;
  if (const cloud::Provider* provider = provider_named(batch.provider)) {
    cloud::BatchClient client(client_, provider->options());
    Result<BatchStatus> ended = co_await send(client, batch, tended, resumed);
    if (ended) ended = co_await watch(client, batch, tended);
    if (ended) {
      done = co_await finish(client, batch, std::move(*ended));
    } else {
      done = std::unexpected(std::move(ended.error()));
    }
  } else {
    done = fail(ErrorCode::kNotFound, fmt::format("no provider '{}' any more", batch.provider));
  }
  if (stopping_) co_return;
  std::string error;
  if (!done) {
    error = done.error().to_string();
    log::warn("batch {}: {}", id.value, error);
    co_await give_back_all(batch, error);
  }
  const lane::BatchState state = done ? lane::BatchState::kEnded : lane::BatchState::kFailed;
  Result<> noted = co_await batches_.end(id, state, std::move(error), clock_.wall());
  if (!noted) log::error("batch {}: {}", id.value, noted.error().to_string());
  under_way_.erase(id);
}

/// Until the provider has it under an id that is on disk, or will not have it.
asio::awaitable<Result<BatchStatus>> BatchRunner::send(cloud::BatchClient& client,
                                                       const lane::Batch& batch, Tended tended,
                                                       bool resumed) {
  BatchStatus known;
  known.id = batch.remote_id;
  if (!known.id.empty()) co_return known;
  bool look = resumed;  // a daemon that is dead may have sent it
  Millis wait = kFirstRetry;
  while (true) {
    const std::vector<lane::BatchTask> waiting = co_await still_waiting(batch);
    Result<BatchStatus> sent = co_await send_once(client, batch, look || waiting.empty());
    if (sent) {
      BatchId id = batch.id;
      std::string remote_id = sent->id;
      Result<> confirmed =
          co_await batches_.confirm(std::move(id), std::move(remote_id), clock_.wall());
      if (!confirmed) co_return std::unexpected(std::move(confirmed.error()));
      log::info("batch {} is {} at {}", batch.id.value, sent->id, batch.provider);
      co_return sent;
    }
    const bool over =
        sent.error().code == ErrorCode::kCancelled || clock_.wall() > batch.created + kLongest;
    // A key that is missing now may have been there when a dead daemon sent it.
    const bool may_be_there = resumed && sent.error().code == ErrorCode::kUnauthorized;
    if (over || (is_hopeless(sent.error()) && !may_be_there)) co_return sent;
    log::warn("batch {}: not sent yet: {}", batch.id.value, sent.error().to_string());
    look = true;  // whatever failed, it may be there now
    const SteadyTime again =
        clock_.steady() + std::max(wait, sent.error().retry_after.value_or(wait));
    co_await tended->wake.wait_until(again);
    wait = std::min<Millis>(2 * wait, std::chrono::seconds{config_.poll_s});
  }
}

asio::awaitable<Result<BatchStatus>> BatchRunner::send_once(cloud::BatchClient& client,
                                                            const lane::Batch& batch, bool look) {
  if (look) {
    Result<std::optional<BatchStatus>> found =
        co_await client.find(batch.id.value, unix_s(batch.created));
    if (!found) co_return std::unexpected(std::move(found.error()));
    if (*found) co_return std::move(**found);
  }
  const std::vector<cloud::BatchItem> items = co_await items_of(batch.id);
  if (items.empty()) {
    co_return fail(ErrorCode::kCancelled, "none of its tasks waits any more");
  }
  co_return co_await client.create(items, batch.model, batch.id.value);
}

/// All that belong to it, settled or not: a second attempt must say what the first one did.
asio::awaitable<std::vector<cloud::BatchItem>> BatchRunner::items_of(BatchId id) {
  std::vector<cloud::BatchItem> items;
  Result<std::vector<lane::BatchTask>> tasks = batches_.tasks_of(id);
  if (!tasks) co_return items;
  const bool any = std::ranges::any_of(*tasks, [](const lane::BatchTask& task) {
    return task.state == lane::BatchTaskState::kWaiting;
  });
  if (!any) co_return items;
  for (std::size_t i = 0; i < tasks->size(); ++i) {
    if (i % kAtOnce == kAtOnce - 1) co_await asio::post(io_, asio::use_awaitable);
    const lane::BatchTask& item = (*tasks)[i];
    const Result<std::optional<lane::Task>> task = tasks_.find(item.task, item.run);
    if (!task || !*task) continue;
    Result<policy::Cleared<chat::ChatRequest>> cleared = policy::clear_for_cloud(
        judge_.chat_request(**task, route::Lane::kCloud), (*task)->spec.privacy);
    if (!cleared) continue;
    items.push_back({.custom_id = item.request.value, .request = std::move(*cleared)});
  }
  co_return items;
}

asio::awaitable<std::vector<lane::BatchTask>> BatchRunner::still_waiting(const lane::Batch& batch) {
  std::vector<lane::BatchTask> waiting;
  Result<std::vector<lane::BatchTask>> tasks = batches_.tasks_of(batch.id);
  if (!tasks) co_return waiting;
  const WallTime now = clock_.wall();
  for (lane::BatchTask& task : *tasks) {
    if (task.state != lane::BatchTaskState::kWaiting) continue;
    if (task.take_back > now) {
      waiting.push_back(std::move(task));
    } else {
      std::string why = "the batch would be too late: done at once instead";
      co_await give_back(batch, std::move(task), std::move(why));
    }
  }
  co_return waiting;
}

/// Until it has ended at the provider.
asio::awaitable<Result<BatchStatus>> BatchRunner::watch(cloud::BatchClient& client,
                                                        const lane::Batch& batch, Tended tended) {
  const Millis longest = std::chrono::seconds{config_.poll_s};
  Millis interval = std::min<Millis>(kFirstPoll, longest);
  bool cancelled = false;
  while (true) {
    const Result<std::optional<lane::Batch>> now = batches_.find(batch.id);
    if (!now || !*now) co_return fail(ErrorCode::kNotFound, "the batch is gone");
    const lane::Batch& current = **now;
    const std::vector<lane::BatchTask> waiting = co_await still_waiting(current);
    if (!cancelled && (waiting.empty() || current.cancel_asked)) {
      const Result<BatchStatus> asked = co_await client.cancel(current.remote_id);
      // Refused: it has ended already. Anything else is tried again.
      cancelled = asked || is_hopeless(asked.error());
      interval = std::min<Millis>(kFirstPoll, longest);
    }
    Result<BatchStatus> status = co_await client.poll(current.remote_id);
    if (status && (status->state == RemoteState::kEnded || status->state == RemoteState::kFailed)) {
      co_return status;
    }
    if (!status && status.error().code == ErrorCode::kNotFound) co_return status;
    if (clock_.wall() > batch.created + kLongest) {
      co_return fail(ErrorCode::kTimeout,
                     fmt::format("not ended at {} within {} h", batch.provider, kLongest.count()));
    }
    if (!status) log::debug("batch {}: {}", batch.id.value, status.error().to_string());
    SteadyTime next = clock_.steady() + interval;
    for (const lane::BatchTask& task : waiting) {
      next = std::min(next, clock_.steady() + std::max(Millis{1}, task.take_back - clock_.wall()));
    }
    co_await tended->wake.wait_until(next);
    interval = std::min(2 * interval, longest);
  }
}

asio::awaitable<Result<>> BatchRunner::finish(cloud::BatchClient& client, const lane::Batch& batch,
                                              BatchStatus status) {
  if (status.state == RemoteState::kFailed) {
    co_return fail(ErrorCode::kUpstream,
                   fmt::format("failed at {}: {}", batch.provider, status.error));
  }
  const Result<std::vector<lane::BatchTask>> tasks = batches_.tasks_of(batch.id);
  if (!tasks) co_return std::unexpected(tasks.error());
  std::set<std::string> ids;
  for (const lane::BatchTask& task : *tasks) ids.insert(task.request.value);
  Result<cloud::BatchAnswers> answers;
  for (int tries = 1;; ++tries) {
    std::set<std::string> wanted = ids;
    answers = co_await client.results(status, std::move(wanted));
    if (answers) break;
    const bool never = answers.error().code == ErrorCode::kNotFound ||
                       answers.error().code == ErrorCode::kTooLarge;
    if (tries == kMaxUnread || never) {
      co_return std::unexpected(std::move(answers.error()).context("reading the results"));
    }
    asio::steady_timer timer(io_, kFirstPoll);
    co_await timer.async_wait(asio::use_awaitable);
  }
  std::size_t settled = 0;
  for (const lane::BatchTask& task : *tasks) {
    if (settled++ % kAtOnce == kAtOnce - 1) co_await asio::post(io_, asio::use_awaitable);
    Result<chat::ChatAnswer> answer = std::move(answers->at(task.request.value));
    co_await settle(batch, task, std::move(answer));
  }
  co_await client.forget(status);
  co_return Result<>{};
}

/// The ledger's row of one answer; returns what it cost.
double BatchRunner::record(const lane::Batch& batch, const lane::BatchTask& item,
                           const lane::Task& task, const chat::ChatAnswer& answer,
                           std::string error) {
  const WallTime now = clock_.wall();
  ledger::Attempt row;
  row.lane = route::Lane::kCloud;
  row.backend = batch.provider;
  row.model = batch.model;
  row.queued_ms = in_ms(batch.created - task.due);
  row.duration_ms = in_ms(now - batch.created);
  row.usage = answer.usage;
  row.cost_usd =
      config_.discount * backends_.cost_usd(route::Lane::kCloud, batch.model, answer.usage);
  row.error = std::move(error);
  const double cost_usd = row.cost_usd;
  ledger::RequestRecord record{.id = item.request,
                               .at = batch.created,
                               .app = kTasksApp,
                               .task = item.task,
                               .run = item.run,
                               .trace = batch.id.value,
                               .model_asked = std::string(kAuto),
                               .stream = false,
                               .privacy = std::string(policy::name(task.spec.privacy)),
                               .decision = decision_of(batch, item),
                               .attempts = {},
                               .status = 0};
  record.attempts.push_back(std::move(row));
  ledger_.record(std::move(record));
  return cost_usd;
}

asio::awaitable<void> BatchRunner::settle(const lane::Batch& batch, const lane::BatchTask& item,
                                          Result<chat::ChatAnswer> answer) {
  const bool waits = item.state == lane::BatchTaskState::kWaiting;
  if (!answer) {
    if (waits) co_await give_back(batch, item, answer.error().message);
    co_return;
  }
  Result<std::optional<lane::Task>> found = tasks_.find(item.task, item.run);
  if (!found || !*found) co_return;
  lane::Task task = std::move(**found);
  BatchId id = batch.id;
  RequestId request = item.request;
  Result<> stored;
  if (waits) {
    const double cost_usd = record(batch, item, task, *answer, {});
    task.request = item.request;
    task.operation = item.operation;
    task.model = batch.model;
    task.prompt_tokens += answer->usage.prompt_tokens;
    task.completion_tokens += answer->usage.completion_tokens;
    task.cost_usd += cost_usd;
    task.all_cloud_cost_usd = backends_.cloud_cost_usd(answer->usage);
    if (task.state == lane::TaskState::kRunning) {
      judge_.judge(task, route::Lane::kCloud, *answer);
    }
    stored = co_await batches_.settle(std::move(id), std::move(request),
                                      lane::BatchTaskState::kAnswered, std::move(task), cost_usd);
  } else if (item.state == lane::BatchTaskState::kGivenBack) {
    std::string late = "answered by the batch after the task had been taken back";
    const double cost_usd = record(batch, item, task, *answer, std::move(late));
    stored = co_await batches_.note_late(std::move(id), std::move(request), cost_usd);
  }
  if (!stored) log::error("batch {}: {}", batch.id.value, stored.error().to_string());
}

asio::awaitable<void> BatchRunner::give_back(const lane::Batch& batch, lane::BatchTask item,
                                             std::string why) {
  Result<std::optional<lane::Task>> found = tasks_.find(item.task, item.run);
  if (!found || !*found) co_return;
  lane::Task task = std::move(**found);
  task.batched = false;
  task.lane = route::Lane::kCloud;
  task.error = std::move(why);
  task.not_before = clock_.wall();
  if (task.state == lane::TaskState::kRunning) task.state = lane::TaskState::kQueued;
  BatchId id = batch.id;
  RequestId request = item.request;
  Result<> stored = co_await batches_.settle(std::move(id), std::move(request),
                                             lane::BatchTaskState::kGivenBack, std::move(task), 0);
  if (!stored) log::error("batch {}: {}", batch.id.value, stored.error().to_string());
  let_go_(item.run, item.task);
}

asio::awaitable<void> BatchRunner::give_back_all(const lane::Batch& batch, std::string why) {
  const Result<std::vector<lane::BatchTask>> tasks = batches_.tasks_of(batch.id);
  if (!tasks) co_return;
  for (const lane::BatchTask& task : *tasks) {
    if (task.state == lane::BatchTaskState::kWaiting) co_await give_back(batch, task, why);
  }
}

}  // namespace minimill::daemon
