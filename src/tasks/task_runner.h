#pragma once

// Carries out the tasks of the store: when one falls due it is decided and waits its turn among all
// others, in the scheduler's order; a coroutine is made for it only once it has its slot. How it is
// carried out then is an Executor's.
//
// A task whose check fails on the device is put in the cloud's queue, once, and the router learns
// from it. Failures are tried again with back-off, up to tasks.max_attempts. Everything that must
// survive a crash is in the store before it is acted upon; the queues here hold only names.
// Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "async/notifier.h"
#include "async/task_set.h"
#include "base/clock.h"
#include "lane/lanes.h"
#include "serve/service.h"
#include "tasks/executor.h"
#include "tasks/task_judge.h"
#include "tasks/task_store.h"

namespace minimill::tasks {

class TaskRunner {
 public:
  /// `executors`: in the order in which they are asked; the last needs a slot and takes every task.
  TaskRunner(asio::io_context& io, const Clock& clock, TaskJudge& judge, serve::Service& service,
             std::vector<Executor*> executors, lane::Lanes& lanes, TaskStore& store);

  /// Puts back what a dead daemon left running, then takes what is due.
  void start();
  /// Cancels what runs and waits for its end. What was running is carried out again by the next
  /// daemon.
  asio::awaitable<void> stop();

  /// New tasks are in the store, with any due time.
  void wake();
  /// Tasks have become ready at `at`, and not before.
  void ready_since(WallTime at);

 private:
  struct Ref {
    RunId run;
    TaskId id;
    bool settled = false;   // its lane is not to be decided again
    bool degraded = false;  // the cloud is out of reach: the device is to do what it can
    bool at_once = false;   // a rung is to answer, which needs no slot
  };
  using Name = std::pair<RunId, TaskId>;

  asio::awaitable<void> intake();
  Result<> take_due();
  asio::awaitable<void> fail_unreadable(Task task);
  Result<> take(const DueTask& due);
  /// Waits for its turn. False where the queue is full.
  bool wait_turn(Ref ref, const Task& task, const chat::Decision& decision);
  asio::awaitable<void> on_turn(Ref ref, lane::Slot slot);
  asio::awaitable<Result<>> carry_out(Ref ref, lane::Slot slot);
  /// Who carries it out; of those that need a slot, or need none (nullptr where none takes it).
  Executor* executor_of(const Task& task, const chat::Decision& decision, bool with_slot) const;
  asio::awaitable<void> hand_over(Executor& executor, Task task, chat::Decision decision);

  Result<chat::Decision> decide(const Task& task, bool degraded);
  policy::Request request_of(const Task& task, bool degraded) const;
  void release(const Ref& ref);
  /// An executor that needs no slot has let go of a task that it was handed.
  void let_go(const RunId& run, const TaskId& id);
  /// It stays queued, and is looked at again with the next look.
  void put_back(const Ref& ref, const Task& task);
  /// The intake looks again at what has become ready since `at`.
  void rewind(WallTime at);
  /// An answer that cannot be stored now is kept until it can: it was worth something.
  asio::awaitable<Result<>> save(Task task);

  asio::io_context& io_;
  const Clock& clock_;
  TaskJudge& judge_;
  serve::Service& service_;
  std::vector<Executor*> executors_;
  lane::Lanes& lanes_;
  TaskStore& store_;

  async::Notifier intake_wake_;
  std::map<Name, std::optional<lane::TicketId>> held_;  // waits with its ticket, or is carried out
  DueCursor cursor_;                                    // everything due up to here has been taken
  std::uint64_t policy_changes_ = 0;                    // as seen last
  async::TaskSet work_;
};

}  // namespace minimill::tasks
