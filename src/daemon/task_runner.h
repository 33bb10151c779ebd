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

#include "base/ids.h"
#include "daemon/backends.h"
#include "daemon/background.h"
#include "daemon/batch_runner.h"
#include "daemon/config.h"
#include "daemon/job_planner.h"
#include "daemon/spending.h"
#include "daemon/task_judge.h"
#include "daemon/wake.h"
#include "lane/lanes.h"
#include "lane/task_store.h"
#include "ledger/ledger.h"
#include "route/router.h"

namespace minimill::daemon {

/// The router's name among the ledger's saved states.
inline constexpr std::string_view kRouterState = "router";

class TaskRunner {
 public:
  TaskRunner(asio::io_context& io, const Clock& clock, IdSource& ids, const Config& config,
             route::Router& router, TaskJudge& judge, BatchRunner& batches, ModelSelector& selector,
             Engines& engines, Backends& backends, lane::Lanes& lanes, const JobPlanner& planner,
             Spending& spending, lane::TaskStore& store, ledger::Ledger& ledger);

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
  Result<> take(const lane::DueTask& due);
  /// Waits for its turn. False where the queue is full.
  bool wait_turn(Ref ref, const lane::Task& task, const route::Decision& decision);
  asio::awaitable<void> on_turn(Ref ref, lane::Slot slot);
  asio::awaitable<Result<>> carry_out(Ref ref, lane::Slot slot);
  asio::awaitable<Next> attempt(lane::Task& task, route::Lane lane, route::Decision decision,
                                lane::Slot slot);
  asio::awaitable<void> keep_learnt();

  Result<route::Decision> decide(const lane::Task& task, bool degraded);
  Work work_of(const lane::Task& task, const route::Decision& decision) const;
  bool may_degrade(const lane::Task& task, const Error& from_cloud) const;
  void plan_retry(lane::Task& task, const Error& error);
  void release(const Ref& ref);
  /// It stays queued, and is looked at again with the next look.
  void put_back(const Ref& ref, const lane::Task& task);
  /// The intake looks again at what has become ready since `at`.
  void rewind(WallTime at);
  /// An answer that cannot be stored now is kept until it can: it was worth something.
  asio::awaitable<Result<>> save(lane::Task task);
  Millis lease_time() const;
  Millis backoff(int attempts);

  asio::io_context& io_;
  const Clock& clock_;
  IdSource& ids_;
  const Config& config_;
  route::Router& router_;
  TaskJudge& judge_;
  BatchRunner& batches_;
  ModelSelector& selector_;
  Engines& engines_;
  Backends& backends_;
  lane::Lanes& lanes_;
  const JobPlanner& planner_;
  Spending& spending_;
  lane::TaskStore& store_;
  ledger::Ledger& ledger_;

  Wake intake_wake_;
  Wake save_wake_;
  std::map<Name, std::optional<lane::TicketId>> held_;  // waits with its ticket, or is carried out
  lane::DueCursor cursor_;                              // everything due up to here has been taken
  std::minstd_rand jitter_{std::random_device{}()};
  bool money_changed_ = false;
  bool learnt_ = false;  // since the router's state was last saved
  Background work_;
};

}  // namespace minimill::daemon
