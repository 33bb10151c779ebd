#pragma once

// Tasks on disk. A submitted task is durable when submit() returns; a task that is running when the
// daemon dies is found running by the next one and carried out again (at least once).
//
// Writes go through the one sqlite::Writer; reads use a read-only connection of the store's own.
// Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "lane/task.h"
#include "sqlite/writer.h"

namespace minimill::lane {

namespace asio = boost::asio;

/// Tables and indices of this room; run once by whoever opens the file, before the Writer.
Result<> migrate_tasks(sqlite::Database& db);

/// What save() and lease() do, for those who do more in the same job.
Result<> save_task(sqlite::Database& db, const Task& task);
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

  /// All or none. A (run, id) that exists with the same spec is left as it is; with another spec it
  /// is kConflict. The run is created with its first submission.
  asio::awaitable<Result<>> submit(RunInfo run, std::vector<Submission> tasks);

  /// Every task found running: back to queued, but for those in a batch, which goes on elsewhere
  /// (batch_store.h). For start-up, when no other daemon can be alive.
  asio::awaitable<Result<>> requeue_running();

  /// Queued tasks whose turn has come by `now` and that lie behind `after`, in order; at most
  /// `limit`.
  Result<std::vector<DueTask>> due(WallTime now, const DueCursor& after, std::size_t limit);
  /// When the turn of the next queued task behind `after` comes, if there is one.
  Result<std::optional<WallTime>> next_due(const DueCursor& after);

  /// queued → running, leased until `lease_until`; counts an attempt. kConflict where the task is
  /// no longer queued (cancelled meanwhile, say).
  asio::awaitable<Result<>> lease(const Task& task, WallTime now, WallTime lease_until);
  /// Stores every changing field of `task` with its state: done, failed, or queued again with a new
  /// due time. Ignored where the task has been cancelled meanwhile.
  asio::awaitable<Result<>> save(Task task);
  /// kNotFound, or kConflict where it has already ended.
  asio::awaitable<Result<>> cancel(TaskId id, RunId run);

  Result<std::optional<Task>> find(const TaskId& id, const RunId& run);  // run empty: the newest
  struct Filter {
    RunId run;  // empty: all
    std::optional<TaskState> state;
    std::size_t limit = 100;
    std::size_t offset = 0;
  };
  /// In order of arrival.
  Result<std::vector<Task>> list(const Filter& filter);
  /// How far a run is, by one query.
  Result<Progress> progress(const RunId& run);
  Result<std::vector<RunInfo>> runs(std::size_t limit);  // newest first
  Result<std::optional<RunInfo>> find_run(const RunId& id);
  Result<std::optional<RunInfo>> unfinished_run(std::string_view fingerprint);

 private:
  TaskStore(sqlite::Database reader, sqlite::Writer& writer);
  sqlite::Database reader_;
  sqlite::Writer* writer_;
};

}  // namespace minimill::lane
