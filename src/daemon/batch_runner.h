#pragma once

// The batch lane: tasks for the cloud that can wait go through a provider's batch API, at a
// discount.
//
// Such tasks are gathered for a while; then batch and leases are put on disk in one, and only then
// sent, under a name of our own. After a crash a batch that may be at the provider is looked for
// there by that name before it is sent again, so that nothing is paid twice. What is answered is
// judged as any answer of the cloud; what fails, expires, or would come too late goes back to the
// ordinary lanes: a task is in a batch once. docs/batch.md tells more.
//
// One coroutine gathers, one tends each open batch; all end with stop(). Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "cloud/batch_client.h"
#include "daemon/backends.h"
#include "daemon/config.h"
#include "daemon/model_selector.h"
#include "daemon/task_judge.h"
#include "daemon/wake.h"
#include "http/client.h"
#include "lane/batch_store.h"
#include "lane/task_store.h"
#include "ledger/ledger.h"
#include "route/decision.h"

namespace minimill::daemon {

namespace asio = boost::asio;

class BatchRunner {
 public:
  static constexpr std::size_t kMaxOpen = 64;  // batches at providers; beyond: the ordinary lanes
  static constexpr std::size_t kMaxBatchBytes = std::size_t{16} << 20;  // of prompts in one batch

  BatchRunner(asio::io_context& io, const Clock& clock, IdSource& ids, const BatchConfig& config,
              const ModelSelector& selector, const Backends& backends, http::Client& client,
              TaskJudge& judge, lane::TaskStore& tasks, lane::BatchStore& batches,
              ledger::Ledger& ledger);

  /// Called when a task that was added is on disk in a batch, or queued for the ordinary lanes.
  void on_let_go(std::function<void(const RunId&, const TaskId&)> let_go) {
    let_go_ = std::move(let_go);
  }

  /// Goes on with what a dead daemon left open.
  void start();
  /// Cancels what is under way and waits for it; the next daemon goes on with it.
  asio::awaitable<void> stop();

  /// Is this one for a batch? The default cloud model's provider must have a batch API we may use,
  /// and the task must be able to wait min_wait_s from now.
  /// One that the device has tried in vain is taken too, one that was in a batch before is not.
  bool takes(const lane::Task& task, const route::Decision& decision) const;
  void add(const lane::Task& task, route::Decision decision);
  std::size_t gathered() const { return gathered_.size(); }

  /// What is answered by then is still used; the rest goes to the ordinary lanes.
  asio::awaitable<Result<>> cancel(BatchId id);

 private:
  struct UnderWay {
    explicit UnderWay(const asio::any_io_executor& executor) : wake(executor) {}
    Wake wake;
  };
  using Tended = std::shared_ptr<UnderWay>;
  struct Gathered {
    lane::BatchTask task;
    std::size_t bytes = 0;  // of its prompt
  };

  void spawn(asio::awaitable<void> work);
  asio::awaitable<void> gather();
  asio::awaitable<Result<>> resume();
  asio::awaitable<void> flush();
  std::vector<lane::BatchTask> next_batch();
  void tend_in_background(const BatchId& id, bool resumed);
  asio::awaitable<void> tend(BatchId id, Tended tended, bool resumed);
  asio::awaitable<Result<protocol::BatchStatus>> send(cloud::BatchClient& client,
                                                      const lane::Batch& batch, Tended tended,
                                                      bool resumed);
  asio::awaitable<Result<protocol::BatchStatus>> send_once(cloud::BatchClient& client,
                                                           const lane::Batch& batch, bool look);
  asio::awaitable<std::vector<cloud::BatchItem>> items_of(BatchId id);
  asio::awaitable<Result<protocol::BatchStatus>> watch(cloud::BatchClient& client,
                                                       const lane::Batch& batch, Tended tended);
  asio::awaitable<Result<>> finish(cloud::BatchClient& client, const lane::Batch& batch,
                                   protocol::BatchStatus status);
  asio::awaitable<void> settle(const lane::Batch& batch, const lane::BatchTask& item,
                               Result<chat::ChatAnswer> answer);
  asio::awaitable<void> give_back(const lane::Batch& batch, lane::BatchTask item, std::string why);
  asio::awaitable<void> give_back_all(const lane::Batch& batch, std::string why);
  /// The tasks that still wait, after those whose time is up were given back.
  asio::awaitable<std::vector<lane::BatchTask>> still_waiting(const lane::Batch& batch);
  double record(const lane::Batch& batch, const lane::BatchTask& item, const lane::Task& task,
                const chat::ChatAnswer& answer, std::string error);
  const cloud::Provider* usable_provider(const std::string& model) const;
  const cloud::Provider* provider_named(const std::string& name) const;

  asio::io_context& io_;
  const Clock& clock_;
  IdSource& ids_;
  const BatchConfig& config_;
  const ModelSelector& selector_;
  const Backends& backends_;
  http::Client& client_;
  TaskJudge& judge_;
  lane::TaskStore& tasks_;
  lane::BatchStore& batches_;
  ledger::Ledger& ledger_;
  std::function<void(const RunId&, const TaskId&)> let_go_ = [](const RunId&, const TaskId&) {};

  std::deque<Gathered> gathered_;
  std::string gathered_for_;  // the model
  std::size_t gathered_bytes_ = 0;
  SteadyTime gathered_since_{};
  Wake gather_wake_;
  std::map<BatchId, Tended> under_way_;
  std::list<std::unique_ptr<asio::cancellation_signal>> loops_;
  Wake loops_done_;
  bool stopping_ = false;
};

}  // namespace minimill::daemon
