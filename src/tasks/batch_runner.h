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
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/notifier.h"
#include "async/task_set.h"
#include "base/clock.h"
#include "base/ids.h"
#include "chat/decision.h"
#include "http/client.h"
#include "serve/model_selector.h"
#include "tasks/batch_store.h"
#include "tasks/batch_tender.h"
#include "tasks/executor.h"
#include "tasks/task.h"

namespace minimill::tasks {

namespace asio = boost::asio;

class BatchRunner final : public Executor {
 public:
  static constexpr std::size_t kMaxOpen = 64;  // batches at providers; beyond: the ordinary lanes
  static constexpr std::size_t kMaxBatchBytes = std::size_t{16} << 20;  // of prompts in one batch

  BatchRunner(BatchTools tools, IdSource& ids, const serve::ModelSelector& selector,
              http::Client& client);

  /// `released` is told of a task that is in a batch, on disk, or comes back from there.
  void on_released(Released released) override { tools_.let_go = std::move(released); }

  /// Goes on with what a dead daemon left open.
  void start();
  /// Cancels what is under way and waits for it; the next daemon goes on with it.
  asio::awaitable<void> stop() { return work_.stop(); }

  /// Is this one for a batch? The default cloud model's provider must have a batch API we may use,
  /// and the task must be able to wait min_wait_s from now.
  /// One that was tried elsewhere is taken too, one that was in a batch before is not.
  bool takes(const Task& task, const chat::Decision& decision) const override;
  /// It waits for its batch, not for a slot.
  bool needs_slot() const override { return false; }
  asio::awaitable<Next> carry_out(Task& task, chat::Decision decision, lane::Slot slot) override;
  std::size_t gathered() const { return gathered_.size(); }

  /// What is answered by then is still used; the rest goes to the ordinary lanes.
  asio::awaitable<Result<>> cancel(BatchId id);

 private:
  struct Gathered {
    BatchTask task;
    std::string app;                 // a batch is one app's
    std::size_t bytes = 0;           // of its prompt
    policy::Budgets::Hold reserved;  // what it is expected to cost
  };

  void add(const Task& task, chat::Decision decision);
  asio::awaitable<void> gather();
  asio::awaitable<Result<>> resume();
  asio::awaitable<void> flush();
  std::vector<Gathered> next_batch(const std::string& app);
  void tend_in_background(Batch batch, bool resumed);
  asio::awaitable<void> tend(BatchId id, std::shared_ptr<BatchTender> tender);
  const cloud::Provider* usable_provider(const std::string& model) const;
  const cloud::Provider* provider_named(const std::string& name) const;

  BatchTools tools_;
  IdSource& ids_;
  const serve::ModelSelector& selector_;
  http::Client& client_;

  std::deque<Gathered> gathered_;
  std::string gathered_for_;  // the model
  std::size_t gathered_bytes_ = 0;
  SteadyTime gathered_since_{};
  async::Notifier gather_wake_;
  std::map<BatchId, std::shared_ptr<BatchTender>> under_way_;  // shared with its coroutine
  async::TaskSet work_;
};

}  // namespace minimill::tasks
