#pragma once

// Carries out the tasks of the store: when one falls due it is decided and waits its turn among all
// others, in the scheduler's order; a coroutine is made for it only once it has its slot.
//
// A task whose check fails on the device is put in the cloud's queue, once, and the router learns
// from it. Failures are tried again with back-off, up to tasks.max_attempts. Everything that must
// survive a crash is in the store before it is acted upon; the queues here hold only names.
// Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "async/notifier.h"
#include "async/task_set.h"
#include "base/ids.h"
#include "config/config.h"
#include "lane/lanes.h"
#include "ledger/ledger.h"
#include "route/router.h"
#include "serve/backends.h"
#include "serve/job_planner.h"
#include "serve/spending.h"
#include "tasks/batch_runner.h"
#include "tasks/task_judge.h"
#include "tasks/task_store.h"

namespace minimill::tasks {

/// The router's name among the ledger's saved states.
inline constexpr std::string_view kRouterState = "router";

class TaskRunner {
 public:
  TaskRunner(asio::io_context& io, const Clock& clock, IdSource& ids, const config::Config& config,
             route::Router& router, TaskJudge& judge, BatchRunner& batches,
             serve::ModelSelector& selector, serve::Engines& engines, serve::Backends& backends,
             lane::Lanes& lanes, const serve::JobPlanner& planner, serve::Spending& spending,
             tasks::TaskStore& store, ledger::Ledger& ledger);

  /// Puts back what a dead daemon left running, then takes what is due.
  void start();
  /// Cancels what runs and waits for its end. What was running is carried out again by the next
  /// daemon.
  asio::awaitable<void> stop();

  /// New tasks are in the store, with any due time.
  void wake();
  /// A budget has been changed: tasks that wait for the next day's may go again.
  void budgets_changed() { money_changed_ = true; }
  /// Tasks have become ready at `at`, and not before.
  void ready_since(WallTime at);

  /// A task that was handed to the batches is in one, on disk, or comes back from there.
  void let_go(const RunId& run, const TaskId& id);

  /// Somebody else has taught the router something: it is saved with what is learnt here.
  /// Now, and not in its turn: when stopping.
  void save_learnt();
  void note_learnt() { learnt_ = true; }

 private:
  struct Ref {
    RunId run;
    TaskId id;
    bool settled = false;   // its lane is not to be decided again
    bool degraded = false;  // the cloud is out of reach: the device is to do what it can
  };
  /// Where a task that was attempted waits next, if it does at once.
  enum class Next { kNowhere, kToCloud, kToDevice };
  using Name = std::pair<RunId, TaskId>;

  asio::awaitable<void> intake();
  Result<> take_due();
  Result<> take(const tasks::DueTask& due);
  /// Waits for its turn. False where the queue is full.
  bool wait_turn(Ref ref, const tasks::Task& task, const chat::Decision& decision);
  asio::awaitable<void> on_turn(Ref ref, lane::Slot slot);
  asio::awaitable<Result<>> carry_out(Ref ref, lane::Slot slot);
  asio::awaitable<Next> attempt(tasks::Task& task, chat::Lane lane, chat::Decision decision,
                                lane::Slot slot);
  asio::awaitable<void> keep_learnt();

  Result<chat::Decision> decide(const tasks::Task& task, bool degraded);
  serve::Work work_of(const tasks::Task& task, const chat::Decision& decision) const;
  bool may_degrade(const tasks::Task& task, const Error& from_cloud) const;
  void plan_retry(tasks::Task& task, const Error& error);
  void release(const Ref& ref);
  /// It stays queued, and is looked at again with the next look.
  void put_back(const Ref& ref, const tasks::Task& task);
  /// The intake looks again at what has become ready since `at`.
  void rewind(WallTime at);
  /// An answer that cannot be stored now is kept until it can: it was worth something.
  asio::awaitable<Result<>> save(tasks::Task task);
  Millis lease_time() const;
  Millis backoff(int attempts);

  asio::io_context& io_;
  const Clock& clock_;
  IdSource& ids_;
  const config::Config& config_;
  route::Router& router_;
  TaskJudge& judge_;
  BatchRunner& batches_;
  serve::ModelSelector& selector_;
  serve::Engines& engines_;
  serve::Backends& backends_;
  lane::Lanes& lanes_;
  const serve::JobPlanner& planner_;
  serve::Spending& spending_;
  tasks::TaskStore& store_;
  ledger::Ledger& ledger_;

  async::Notifier intake_wake_;
  async::Notifier save_wake_;
  std::map<Name, std::optional<lane::TicketId>> held_;  // waits with its ticket, or is carried out
  tasks::DueCursor cursor_;                             // everything due up to here has been taken
  std::minstd_rand jitter_{std::random_device{}()};
  bool money_changed_ = false;
  bool learnt_ = false;  // since the router's state was last saved
  async::TaskSet work_;
};

}  // namespace minimill::tasks
