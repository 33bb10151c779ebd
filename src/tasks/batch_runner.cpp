#include "tasks/batch_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "base/log.h"
#include "ledger/decision_json.h"

namespace minimill::tasks {
namespace {

WallTime after(WallTime time, double seconds) {
  constexpr double kMsPerSecond = 1000;
  return time + Millis{static_cast<Millis::rep>(seconds * kMsPerSecond)};
}

/// Without an answer by then, what is left of the wait is used to do the task elsewhere.
WallTime take_back_time(const Task& task, const config::BatchConfig& config) {
  constexpr double kMostOfWait = 0.25;
  const double wait_s = *task.spec.can_wait_s;
  return after(task.due, wait_s - std::min<double>(config.reserve_s, kMostOfWait * wait_s));
}

}  // namespace

BatchRunner::BatchRunner(BatchTools tools, IdSource& ids, const serve::ModelSelector& selector,
                         http::Client& client)
    : tools_(std::move(tools)),
      ids_(ids),
      selector_(selector),
      client_(client),
      gather_wake_(tools_.io.get_executor()),
      work_(tools_.io, "tending a batch") {}

void BatchRunner::start() { work_.start(gather()); }

const cloud::Provider* BatchRunner::provider_named(const std::string& name) const {
  for (const cloud::Provider* provider : selector_.providers()) {
    if (provider->options().name == name) return provider;
  }
  return nullptr;
}

const cloud::Provider* BatchRunner::usable_provider(const std::string& model) const {
  const cloud::Provider* provider = selector_.provider_of(model);
  if (provider == nullptr) return nullptr;
  const bool usable = tools_.config.providers.empty()
                          ? provider->options().batch_api
                          : std::ranges::find(tools_.config.providers, provider->options().name) !=
                                tools_.config.providers.end();
  return usable ? provider : nullptr;
}

bool BatchRunner::takes(const Task& task, const chat::Decision& decision) const {
  if (!tools_.config.enabled || work_.stopping() || !task.spec.can_wait_s) return false;
  if (decision.lane != chat::Lane::kCloud) return false;
  if (task.privacy() != policy::Privacy::kAllow || under_way_.size() >= kMaxOpen) return false;
  if (after(task.due, *task.spec.can_wait_s - tools_.config.min_wait_s) < tools_.clock.wall())
    return false;
  if (usable_provider(selector_.default_model(chat::Lane::kCloud)) == nullptr) return false;
  const Result<bool> before = tools_.batches.has_had(task.run, task.spec.id);
  return before && !*before;
}

asio::awaitable<Next> BatchRunner::carry_out(Task& task, chat::Decision decision,
                                             lane::Slot /*slot*/) {
  add(task, std::move(decision));
  co_return Next::kNowhere;
}

void BatchRunner::add(const Task& task, chat::Decision decision) {
  if (gathered_.empty()) {
    gathered_since_ = tools_.clock.steady();
    gathered_for_ = selector_.default_model(chat::Lane::kCloud);
  }
  const cloud::Provider* provider = usable_provider(gathered_for_);
  const double factor = tools_.prices.batch_price_factor(
      provider == nullptr ? std::string_view{} : provider->options().name, gathered_for_);
  decision.reasons.insert(
      decision.reasons.begin(),
      {.layer = "batch",
       .text = fmt::format("it can wait {:.0f} s: sent in a batch at {:.0f} % of the price",
                           *task.spec.can_wait_s, 100 * factor),
       .weight = 0});
  const std::size_t bytes = task.prompt().size();
  gathered_bytes_ += bytes;
  gathered_.push_back({.task = {.request = ids_.request(),
                                .run = task.run,
                                .task = task.spec.id,
                                .state = BatchTaskState::kWaiting,
                                .take_back = take_back_time(task, tools_.config),
                                .operation = decision.operation,
                                .p_local_ok = decision.p_local_ok,
                                .threshold = decision.threshold,
                                .reasons = ledger::reasons_to_text(decision.reasons)},
                       .app = task.app,
                       .bytes = bytes,
                       .reserved = tools_.reserve(tools_.request_of(task), decision.operation)});
  gather_wake_.notify();
}

asio::awaitable<void> BatchRunner::gather() {
  Result<> resumed = co_await resume();
  if (!resumed) log::error("batches: {}", resumed.error().to_string());
  while (!work_.stopping()) {
    if (gathered_.empty()) {
      co_await gather_wake_.wait();
      continue;
    }
    const SteadyTime due = gathered_since_ + std::chrono::seconds{tools_.config.gather_s};
    const bool full = gathered_.size() >= static_cast<std::size_t>(tools_.config.max_tasks) ||
                      gathered_bytes_ >= kMaxBatchBytes;
    if (full || tools_.clock.steady() >= due) {
      co_await flush();
    } else {
      co_await gather_wake_.wait_until(due);
    }
  }
}

asio::awaitable<Result<>> BatchRunner::resume() {
  Result<std::vector<Batch>> open = tools_.batches.open_batches();
  if (!open) co_return std::unexpected(std::move(open.error()));
  for (Batch& batch : *open) tend_in_background(std::move(batch), true);
  co_return co_await tools_.batches.requeue_strays();
}

/// As many of one app's as one batch may hold, but for one that alone is too large.
std::vector<BatchRunner::Gathered> BatchRunner::next_batch(const std::string& app) {
  std::vector<Gathered> taken;
  std::size_t bytes = 0;
  for (auto next = gathered_.begin(); next != gathered_.end();) {
    if (taken.size() >= static_cast<std::size_t>(tools_.config.max_tasks)) break;
    if (next->app != app) {
      ++next;
      continue;
    }
    if (!taken.empty() && bytes + next->bytes > kMaxBatchBytes) break;
    bytes += next->bytes;
    taken.push_back(std::move(*next));
    next = gathered_.erase(next);
  }
  gathered_bytes_ -= bytes;
  gathered_since_ = tools_.clock.steady();
  return taken;
}

asio::awaitable<void> BatchRunner::flush() {
  Batch batch;
  batch.id = ids_.batch();
  batch.app = gathered_.front().app;
  batch.model = gathered_for_;
  batch.created = tools_.clock.wall();
  const cloud::Provider* provider = usable_provider(batch.model);
  batch.provider = provider == nullptr ? std::string{} : provider->options().name;
  const std::vector<Gathered> taken = next_batch(batch.app);
  std::vector<BatchTask> in_it;
  for (const Gathered& each : taken) in_it.push_back(each.task);
  const BatchId id = batch.id;
  Batch stored = batch;
  Result<> begun = co_await tools_.batches.begin(std::move(stored), std::move(in_it));
  if (begun) {
    log::info("batch {}: {} tasks", id.value, taken.size());
    tend_in_background(std::move(batch), false);
  } else {
    log::error("batch {}: {}", id.value, begun.error().to_string());
  }
  for (const Gathered& each : taken) tools_.let_go(each.task.run, each.task.task);
}

void BatchRunner::tend_in_background(Batch batch, bool resumed) {
  std::unique_ptr<cloud::BatchApi> client;
  if (const cloud::Provider* provider = provider_named(batch.provider)) {
    client = std::make_unique<cloud::BatchClient>(client_, provider->options());
  }
  const BatchId id = batch.id;
  auto tender = std::make_shared<BatchTender>(tools_, std::move(batch), std::move(client), resumed);
  under_way_.emplace(id, tender);
  work_.start(tend(id, std::move(tender)));
}

asio::awaitable<void> BatchRunner::tend(BatchId id, std::shared_ptr<BatchTender> tender) {
  Result<> done = co_await tender->carry_through();
  if (work_.stopping()) co_return;  // the next daemon goes on with it
  co_await tender->close(std::move(done));
  under_way_.erase(id);
}

asio::awaitable<Result<>> BatchRunner::cancel(BatchId id) {
  Result<> asked = co_await tools_.batches.ask_cancel(id);
  if (const auto found = under_way_.find(id); asked && found != under_way_.end()) {
    found->second->look_now();
  }
  co_return asked;
}

}  // namespace minimill::tasks
