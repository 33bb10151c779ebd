#pragma once

// Tasks on disk. A submitted task is durable when submit() returns; a task that is running when the
// daemon dies is found running by the next one and carried out again (at least once).
//
// Writes go through the one sqlite::Writer; reads use a read-only connection of the store's own.
// Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "policy/principal.h"
#include "sqlite/writer.h"
#include "tasks/submission_key.h"
#include "tasks/task.h"
#include "tasks/task_end.h"

namespace minimill::tasks {

namespace asio = boost::asio;

/// Tables and indices of this room; run once by whoever opens the file, before the Writer.
Result<> migrate_tasks(sqlite::Database& db);

/// What lease() does, for those who do more in the same job.
Result<> lease_task(sqlite::Database& db, const Task& task, WallTime now, WallTime lease_until);

struct Submission {
  TaskSpec spec;
  WallTime due{};
};

struct RunInfo {
  RunId id;
  std::string name;         // the file's name, or "adhoc"
  std::string fingerprint;  // SHA-256 of the file and its options: a second `run` resumes by it
  json::object settings;    // speed and so on, for the report
  std::string app;          // whose it and its tasks are; "": the machine's owner's
  WallTime created{};
  std::int64_t total = 0;
  std::int64_t unfinished = 0;
};

/// A place in the order in which tasks fall due.
struct DueCursor {
  std::int64_t ready_ms = std::numeric_limits<std::int64_t>::min();
  std::int64_t row = 0;
};

struct DueTask {
  RunId run;
  TaskId id;
  DueCursor cursor;
};

struct Progress {
  std::int64_t total = 0;
  std::int64_t waiting = 0;  // queued, due or not
  std::int64_t running_local = 0;
  std::int64_t running_cloud = 0;
  std::int64_t done_local = 0;
  std::int64_t done_cloud = 0;
  std::int64_t failed = 0;
  std::int64_t cancelled = 0;
  std::int64_t escalated = 0;
  std::int64_t checked = 0;  // done, with a check on their last answer
  std::int64_t passed = 0;
  double mean_queue_age_s = 0;  // of those that have been started
  double cost_usd = 0;
  std::int64_t running_batch = 0;  // with a provider's batch API
  std::int64_t done_batch = 0;
};

class TaskStore {
 public:
  static Result<TaskStore> open(const std::filesystem::path& path, sqlite::Writer& writer);

  /// Who is told, on the event loop, when the end of a task has made others ready or has put
  /// something in the outbox.
  void on_ended(std::function<void(const Consequences&)> told) { on_ended_ = std::move(told); }

  /// All or none, as submit_tasks() says (task_submit.h).
  asio::awaitable<Result<>> submit(RunInfo run, std::vector<Submission> tasks);
  /// The same, once per key: where it was submitted before, nothing is stored, and the answer that
  /// was given then is returned.
  asio::awaitable<Result<std::optional<SubmissionAnswer>>> submit_once(
      RunInfo run, std::vector<Submission> tasks, std::optional<SubmissionKey> key);

  /// Every task found running: back to queued, but for those in a batch, which goes on elsewhere
  /// (batch_store.h); and times mended (task_times.h). For start-up, when no other daemon can be
  /// alive.
  asio::awaitable<Result<>> requeue_running(WallTime now, Millis longest_backoff);
  /// The clock has jumped by so much: moves what waits (task_times.h), behind all that was written
  /// before and ahead of all that is written from now on. Until that is done nothing is due.
  asio::awaitable<Result<>> shift(Millis by);
  /// Whatever waits for longer than the longest back-off (a budget's next day, say) may go now.
  asio::awaitable<Result<>> stop_waiting(WallTime now, Millis longest_backoff);

  /// Queued tasks whose turn has come by `now` and that lie behind `after`, in order; at most
  /// `limit`. Without those that wait for others to be done.
  Result<std::vector<DueTask>> due(WallTime now, const DueCursor& after, std::size_t limit);
  /// When the turn of the next queued task behind `after` comes, if there is one.
  Result<std::optional<WallTime>> next_due(const DueCursor& after);

  /// queued → running, leased until `lease_until`; counts an attempt. kConflict where the task is
  /// no longer queued (cancelled meanwhile, say).
  asio::awaitable<Result<>> lease(const Task& task, WallTime now, WallTime lease_until);
  /// Stores every changing field of `task` with its state: done, failed, or queued again with a new
  /// due time; and in the same transaction what its end means for others (task_end.h). Ignored
  /// where the task has been cancelled meanwhile.
  asio::awaitable<Result<>> save(Task task);
  /// The same, if `guard`, which runs before it in the same job, says so.
  using Guard = std::move_only_function<Result<bool>(sqlite::Database&)>;
  asio::awaitable<Result<>> save_if(Task task, Guard guard);
  /// kNotFound, or kConflict where it has already ended.
  asio::awaitable<Result<>> cancel(TaskId id, RunId run, WallTime now);
  /// Failed tasks anew, see task_retry.h.
  asio::awaitable<Result<>> retry(TaskId id, RunId run, WallTime now);
  asio::awaitable<Result<std::size_t>> retry_all(RunId run, policy::Scope scope, WallTime now);
  /// Unfinished tasks of before rows said their privacy get this. For start-up.
  asio::awaitable<Result<>> label_unlabelled(policy::Privacy privacy);

  /// `run` empty: the newest. What is not in the scope is not there, here and below.
  Result<std::optional<Task>> find(const TaskId& id, const RunId& run,
                                   const policy::Scope& scope = policy::Scope::everything());
  /// Why its attempts failed: the last kMaxFailures, the newest last.
  static constexpr std::size_t kMaxFailures = 32;
  Result<std::vector<TaskFailure>> failures(const TaskId& id, const RunId& run);
  struct Filter {
    RunId run;  // empty: all
    std::optional<TaskState> state;
    policy::Scope scope = policy::Scope::everything();
    std::size_t limit = 100;
    std::size_t offset = 0;
    std::size_t max_bytes = std::size_t{256} << 20;  // of texts; fewer tasks come than could
  };
  /// In order of arrival.
  Result<std::vector<Task>> list(const Filter& filter);
  /// How far a run is, by one query.
  Result<Progress> progress(const RunId& run);
  Result<std::vector<RunInfo>> runs(std::size_t limit, const policy::Scope& scope);  // newest first
  Result<std::optional<RunInfo>> find_run(const RunId& id, const policy::Scope& scope);
  Result<std::optional<RunInfo>> unfinished_run(std::string_view fingerprint,
                                                const policy::Scope& scope);

 private:
  TaskStore(sqlite::Database reader, sqlite::Writer& writer);
  void tell(const Consequences& then) const;
  Result<> read_turns(std::string_view sql, WallTime until, const DueCursor& after,
                      std::size_t limit, std::vector<DueTask>& turns);

  sqlite::Database reader_;
  sqlite::Writer* writer_;
  std::function<void(const Consequences&)> on_ended_;
  bool shifting_ = false;
};

}  // namespace minimill::tasks
