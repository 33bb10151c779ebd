#pragma once

// Carries out the tasks of the store: when one falls due it is decided and put in its lane's queue;
// as many workers as a lane has slots take from that lane, oldest first.
//
// A task whose check fails on the device is put in the cloud's queue, once, and the router learns
// from it. Failures are tried again with back-off, up to tasks.max_attempts. Everything that must
// survive a crash is in the store before it is acted upon; the queues here hold only names.
// Event-loop thread only.

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <deque>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "base/ids.h"
#include "daemon/backends.h"
#include "daemon/batch_runner.h"
#include "daemon/config.h"
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
             Backends& backends, lane::Lanes& lanes, lane::TaskStore& store,
             ledger::Ledger& ledger);

  /// Puts back what a dead daemon left running, then starts the workers.
  void start();
  /// Cancels the workers and waits for them. What was running is carried out again by the next
  /// daemon.
  asio::awaitable<void> stop();

  /// New tasks are in the store, with any due time.
  void wake();

  /// A task that was handed to the batches is in one, on disk, or comes back from there.
  void let_go(const RunId& run, const TaskId& id);

  /// Somebody else has taught the router something: it is saved with what is learnt here.
  /// Now, and not in its turn: when stopping.
  void save_learnt();
  void note_learnt() { learnt_ = true; }

  std::size_t waiting(route::Lane lane) const { return queues_[route::index(lane)].size(); }

 private:
  struct Ref {
    RunId run;
    TaskId id;
    bool settled = false;  // its lane is not to be decided again
  };

  void spawn(asio::awaitable<void> loop);
  asio::awaitable<void> intake();
  Result<> take_due();
  Result<> take(const lane::DueTask& due);
  asio::awaitable<void> worker(route::Lane lane);
  asio::awaitable<Result<>> carry_out(Ref ref, route::Lane lane);
  asio::awaitable<void> attempt(lane::Task& task, route::Lane lane, route::Decision decision,
                                lane::Slot slot);
  asio::awaitable<void> keep_learnt();

  Result<route::Decision> decide(const lane::Task& task);
  void plan_retry(lane::Task& task, const Error& error);
  void release(const Ref& ref);
  Millis lease_time() const;
  void enqueue(Ref ref, route::Lane lane);
  Millis backoff(int attempts);

  asio::io_context& io_;
  const Clock& clock_;
  IdSource& ids_;
  const Config& config_;
  route::Router& router_;
  TaskJudge& judge_;
  BatchRunner& batches_;
  ModelSelector& selector_;
  Backends& backends_;
  lane::Lanes& lanes_;
  lane::TaskStore& store_;
  ledger::Ledger& ledger_;

  Wake intake_wake_;
  std::array<Wake, route::kLaneCount> lane_wake_;
  Wake save_wake_;
  std::array<std::deque<Ref>, route::kLaneCount> queues_;
  std::set<std::pair<RunId, TaskId>> held_;  // in a queue or with a worker
  lane::DueCursor cursor_;                   // everything due up to here has been taken
  std::minstd_rand jitter_{std::random_device{}()};
  bool learnt_ = false;  // since the router's state was last saved
  bool stopping_ = false;
  std::vector<std::unique_ptr<asio::cancellation_signal>> loops_;
  int loops_running_ = 0;
  Wake loops_done_;
};

}  // namespace minimill::daemon
