#include "tasks/task_store.h"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <utility>

#include "base/json.h"
#include "sqlite/migrations.h"
#include "tasks/task_end.h"
#include "tasks/task_retry.h"
#include "tasks/task_row.h"
#include "tasks/task_submit.h"
#include "tasks/task_times.h"

namespace minimill::tasks {
namespace {

using sqlite::Database;
using sqlite::Statement;

constexpr std::array kMigrations{
    // 1
    "CREATE TABLE runs("
    "  id TEXT PRIMARY KEY, name TEXT NOT NULL, fingerprint TEXT NOT NULL, settings TEXT NOT NULL,"
    "  created_ms INTEGER NOT NULL);"
    "CREATE INDEX runs_by_fingerprint ON runs(fingerprint);"
    "CREATE TABLE tasks("
    "  row INTEGER PRIMARY KEY, run TEXT NOT NULL REFERENCES runs(id), id TEXT NOT NULL,"
    "  spec TEXT NOT NULL, state INTEGER NOT NULL, due_ms INTEGER NOT NULL,"
    "  ready_ms INTEGER NOT NULL, lease_until_ms INTEGER, started_ms INTEGER, finished_ms INTEGER,"
    "  attempts INTEGER NOT NULL DEFAULT 0, request TEXT NOT NULL DEFAULT '',"
    "  lane INTEGER NOT NULL DEFAULT 0, escalated INTEGER NOT NULL DEFAULT 0,"
    "  local_passed INTEGER, cloud_passed INTEGER, local_s REAL NOT NULL DEFAULT 0,"
    "  cloud_s REAL NOT NULL DEFAULT 0, prompt_tokens INTEGER NOT NULL DEFAULT 0,"
    "  completion_tokens INTEGER NOT NULL DEFAULT 0, cost_usd REAL NOT NULL DEFAULT 0,"
    "  all_cloud_cost_usd REAL NOT NULL DEFAULT 0, operation TEXT NOT NULL DEFAULT '',"
    "  model TEXT NOT NULL DEFAULT '', answer TEXT NOT NULL DEFAULT '',"
    "  error TEXT NOT NULL DEFAULT '', UNIQUE(run, id));"
    "CREATE INDEX tasks_by_turn ON tasks(state, ready_ms, row);"
    "CREATE INDEX tasks_by_id ON tasks(id);",
    // 2: what comes after what, why attempts failed, keys of submissions, effects outside
    "ALTER TABLE tasks ADD COLUMN blockers INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE tasks ADD COLUMN failed_after INTEGER;"
    "ALTER TABLE tasks ADD COLUMN notify TEXT NOT NULL DEFAULT '';"
    "DROP INDEX tasks_by_turn;"
    "CREATE INDEX tasks_by_turn ON tasks(state, blockers, ready_ms, row);"
    "CREATE INDEX tasks_by_finish ON tasks(finished_ms);"
    "CREATE INDEX tasks_by_root ON tasks(failed_after) WHERE failed_after IS NOT NULL;"
    "CREATE TABLE task_after(predecessor INTEGER NOT NULL, successor INTEGER NOT NULL,"
    "  PRIMARY KEY(predecessor, successor)) WITHOUT ROWID;"
    "CREATE INDEX task_after_by_successor ON task_after(successor);"
    "CREATE TABLE task_failures("
    "  row INTEGER PRIMARY KEY, task INTEGER NOT NULL, at_ms INTEGER NOT NULL,"
    "  attempt INTEGER NOT NULL, lane INTEGER NOT NULL, error TEXT NOT NULL);"
    "CREATE INDEX task_failures_by_task ON task_failures(task, row);"
    "CREATE TABLE submission_keys("
    "  app TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL,"
    "  body TEXT NOT NULL, created_ms INTEGER NOT NULL, PRIMARY KEY(app, key)) WITHOUT ROWID;"
    "CREATE INDEX submission_keys_by_age ON submission_keys(created_ms);"
    "CREATE TABLE outbox("
    "  row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, run TEXT NOT NULL, task TEXT NOT NULL,"
    "  url TEXT NOT NULL, body TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0,"
    "  attempts INTEGER NOT NULL DEFAULT 0, created_ms INTEGER NOT NULL,"
    "  next_ms INTEGER NOT NULL, last_error TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX outbox_by_turn ON outbox(state, next_ms, row);",
    // 3: whose it all is
    "ALTER TABLE runs ADD COLUMN app TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE tasks ADD COLUMN app TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE outbox ADD COLUMN app TEXT NOT NULL DEFAULT '';",
};

std::optional<std::int64_t> ms_of(std::optional<WallTime> time) {
  if (!time) return std::nullopt;
  return unix_ms(*time);
}

/// Whether there was something to store it over: what has ended changes no more.
Result<bool> update(Database& db, const Task& task) {
  // When it arrived and started is not written again: it may have been moved with the clock.
  Result<Statement*> row = db.cached(
      "UPDATE tasks SET state=?3, ready_ms=coalesce(?4, due_ms), finished_ms=?5, attempts=?6, "
      "request=?7, lane=?8, escalated=?9, local_passed=?10, cloud_passed=?11, local_s=?12, "
      "cloud_s=?13, prompt_tokens=?14, completion_tokens=?15, cost_usd=?16, "
      "all_cloud_cost_usd=?17, operation=?18, model=?19, answer=?20, error=?21, "
      "lease_until_ms=NULL WHERE run=?1 AND id=?2 AND state <= 1");
  if (!row) return std::unexpected(std::move(row.error()));
  const auto flag = [](std::optional<bool> value) {
    return value ? std::optional<std::int64_t>(*value) : std::nullopt;
  };
  (*row)
      ->bind(1, task.run.value)
      .bind(2, task.spec.id.value)
      .bind(3, number(task.state))
      .bind(4, ms_of(task.not_before))
      .bind(5, ms_of(task.finished))
      .bind(6, task.attempts)
      .bind(7, task.request.value)
      .bind(8, lane_number(task))
      .bind(9, task.escalated)
      .bind(10, flag(task.local_passed))
      .bind(11, flag(task.cloud_passed))
      .bind(12, task.local_s)
      .bind(13, task.cloud_s)
      .bind(14, task.prompt_tokens)
      .bind(15, task.completion_tokens)
      .bind(16, task.cost_usd)
      .bind(17, task.all_cloud_cost_usd)
      .bind(18, task.operation)
      .bind(19, task.model)
      .bind(20, task.answer)
      .bind(21, task.error);
  if (Result<> done = (*row)->run(); !done) return std::unexpected(std::move(done.error()));
  return db.changes() == 1;
}

Result<> requeue(Database& db) {
  Result<Statement*> row = db.cached(
      "UPDATE tasks SET state = ?1, lease_until_ms = NULL WHERE state = ?2 AND lane != ?3");
  if (!row) return std::unexpected(std::move(row.error()));
  return (*row)
      ->bind(1, number(TaskState::kQueued))
      .bind(2, number(TaskState::kRunning))
      .bind(3, kBatchLane)
      .run();
}

/// What a job leaves for the event loop. The writer's thread is done with it when run() returns.
struct Outcome {
  Consequences then;
  std::optional<SubmissionAnswer> answered;
};

// Jobs are made by plain functions, so that no coroutine has a capturing lambda in it (see the
// design's note on g++ 12).

sqlite::Writer::Job submit_job(RunInfo run, std::vector<Submission> tasks,
                               std::optional<SubmissionKey> key, std::shared_ptr<Outcome> outcome) {
  return [run = std::move(run), tasks = std::move(tasks), key = std::move(key),
          outcome = std::move(outcome)](Database& db) -> Result<> {
    if (key) {
      Result<std::optional<SubmissionAnswer>> before = answered_before(db, *key, run.created);
      if (!before) return std::unexpected(std::move(before.error()));
      outcome->answered = std::move(*before);
      if (outcome->answered) return {};
      if (Result<> kept = remember(db, *key, run.created); !kept) return kept;
    }
    return submit_tasks(db, run, tasks, outcome->then);
  };
}

sqlite::Writer::Job requeue_job(WallTime now, Millis longest_backoff) {
  return [now, longest_backoff](Database& db) -> Result<> {
    if (Result<> queued = requeue(db); !queued) return queued;
    return mend_times(db, now, longest_backoff);
  };
}

sqlite::Writer::Job shift_job(Millis by) {
  return [by](Database& db) { return shift_times(db, by); };
}

sqlite::Writer::Job guarded_job(TaskStore::Guard guard, sqlite::Writer::Job job) {
  return [guard = std::move(guard), job = std::move(job)](Database& db) mutable -> Result<> {
    Result<bool> may = guard(db);
    if (!may) return std::unexpected(std::move(may.error()));
    return *may ? job(db) : Result<>{};
  };
}

sqlite::Writer::Job lease_job(const Task& task, WallTime now, WallTime lease_until) {
  return [run = task.run, id = task.spec.id, lane = lane_number(task), now,
          lease_until](Database& db) -> Result<> {
    Result<Statement*> row = db.cached(
        "UPDATE tasks SET state = 1, attempts = attempts + 1, lease_until_ms = ?4, lane = ?5, "
        "started_ms = coalesce(started_ms, ?3) WHERE run = ?1 AND id = ?2 AND state = 0");
    if (!row) return std::unexpected(std::move(row.error()));
    (*row)
        ->bind(1, run.value)
        .bind(2, id.value)
        .bind(3, unix_ms(now))
        .bind(4, unix_ms(lease_until))
        .bind(5, lane);
    if (Result<> done = (*row)->run(); !done) return done;
    if (db.changes() == 1) return {};
    return fail(ErrorCode::kConflict, fmt::format("task '{}' is no longer queued", id.value));
  };
}

Result<std::int64_t> row_of(Database& db, const RunId& run, const TaskId& id) {
  Result<Statement*> query = db.cached("SELECT row FROM tasks WHERE run = ?1 AND id = ?2");
  if (!query) return std::unexpected(std::move(query.error()));
  Result<std::vector<std::int64_t>> rows =
      row_numbers((*query)->bind(1, run.value).bind(2, id.value));
  if (!rows) return std::unexpected(std::move(rows.error()));
  if (rows->empty()) return fail(ErrorCode::kNotFound, fmt::format("no task '{}'", id.value));
  return rows->front();
}

/// The last TaskStore::kMaxFailures of a task are kept.
Result<> keep_failure(Database& db, std::int64_t row, const TaskFailure& failure) {
  Result<Statement*> insert = db.cached(
      "INSERT INTO task_failures(task, at_ms, attempt, lane, error) VALUES(?1,?2,?3,?4,?5)");
  if (!insert) return std::unexpected(std::move(insert.error()));
  (*insert)
      ->bind(1, row)
      .bind(2, unix_ms(failure.at))
      .bind(3, failure.attempt)
      .bind(4, chat::index(failure.lane))
      .bind(5, failure.error);
  if (Result<> done = (*insert)->run(); !done) return done;
  Result<Statement*> forget = db.cached(
      "DELETE FROM task_failures WHERE task = ?1 AND row <= (SELECT row FROM task_failures "
      "WHERE task = ?1 ORDER BY row DESC LIMIT 1 OFFSET ?2)");
  if (!forget) return std::unexpected(std::move(forget.error()));
  return (*forget)->bind(1, row).bind(2, static_cast<std::int64_t>(TaskStore::kMaxFailures)).run();
}

sqlite::Writer::Job save_job(Task task, std::shared_ptr<Outcome> outcome) {
  return [task = std::move(task), outcome = std::move(outcome)](Database& db) -> Result<> {
    Result<bool> stored = update(db, task);
    if (!stored) return std::unexpected(std::move(stored.error()));
    const bool ended = task.state > TaskState::kRunning;
    if (!*stored || (!ended && !task.failure)) return {};
    Result<std::int64_t> row = row_of(db, task.run, task.spec.id);
    if (!row) return std::unexpected(std::move(row.error()));
    if (task.failure) {
      if (Result<> kept = keep_failure(db, *row, *task.failure); !kept) return kept;
    }
    if (!ended) return {};
    return task_ended(db, *row, task.finished.value_or(task.due), outcome->then);
  };
}

sqlite::Writer::Job cancel_job(RunId run, TaskId id, WallTime now,
                               std::shared_ptr<Outcome> outcome) {
  return [run = std::move(run), id = std::move(id), now,
          outcome = std::move(outcome)](Database& db) -> Result<> {
    Result<Statement*> update = db.cached(
        "UPDATE tasks SET state = ?3, finished_ms = ?4, lease_until_ms = NULL "
        "WHERE run = ?1 AND id = ?2 AND state <= 1");
    if (!update) return std::unexpected(std::move(update.error()));
    (*update)
        ->bind(1, run.value)
        .bind(2, id.value)
        .bind(3, number(TaskState::kCancelled))
        .bind(4, unix_ms(now));
    if (Result<> done = (*update)->run(); !done) return done;
    if (db.changes() == 0) {
      return fail(ErrorCode::kConflict, fmt::format("task '{}' has already ended", id.value));
    }
    Result<std::int64_t> row = row_of(db, run, id);
    if (!row) return std::unexpected(std::move(row.error()));
    return task_ended(db, *row, now, outcome->then);
  };
}

sqlite::Writer::Job retry_job(RunId run, TaskId id, WallTime now) {
  return [run = std::move(run), id = std::move(id), now](Database& db) {
    return retry_task(db, id, run, now);
  };
}

sqlite::Writer::Job retry_all_job(RunId run, policy::Scope scope, WallTime now,
                                  std::shared_ptr<std::size_t> count) {
  return [run = std::move(run), scope = std::move(scope), now,
          count = std::move(count)](Database& db) -> Result<> {
    Result<std::size_t> retried = retry_failed(db, run, scope, now);
    if (!retried) return std::unexpected(std::move(retried.error()));
    *count = *retried;
    return {};
  };
}

// What lies behind a cursor, by two ranges of one index: SQLite (3.40) takes only the first column
// of "(ready_ms, row) > (?, ?)" as a bound, and would walk over all tasks of one moment for each
// page of them.
constexpr std::string_view kRestOfTheMoment =
    "SELECT run, id, ready_ms, row FROM tasks WHERE state = 0 AND blockers = 0 "
    "AND ready_ms = ?2 AND row > ?3 AND ?2 <= ?1 ORDER BY row LIMIT ?4";
constexpr std::string_view kLaterTurns =
    "SELECT run, id, ready_ms, row FROM tasks WHERE state = 0 AND blockers = 0 "
    "AND ready_ms > ?2 AND ready_ms <= ?1 ORDER BY ready_ms, row LIMIT ?4";

RunInfo read_run(const Statement& row) {
  RunInfo run;
  run.id = {std::string(row.text(0))};
  run.name = row.text(1);
  run.fingerprint = row.text(2);
  if (Result<json::object> settings = parse_json_object(row.text(3))) run.settings = *settings;
  run.created = from_unix_ms(row.integer(4));
  run.total = row.integer(5);
  run.unfinished = row.integer(6);
  run.app = row.text(7);
  return run;
}

// Unfinished: queued or running, the first two states.
constexpr std::string_view kRunColumns =
    "SELECT r.id, r.name, r.fingerprint, r.settings, r.created_ms, "
    "(SELECT count(*) FROM tasks t WHERE t.run = r.id), "
    "(SELECT count(*) FROM tasks t WHERE t.run = r.id AND t.state <= 1), r.app FROM runs r ";

Result<std::vector<RunInfo>> read_runs(Statement& rows) {
  std::vector<RunInfo> runs;
  while (true) {
    Result<bool> there = rows.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return runs;
    runs.push_back(read_run(rows));
  }
}

Result<std::optional<RunInfo>> first(Result<std::vector<RunInfo>> runs) {
  if (!runs) return std::unexpected(std::move(runs.error()));
  if (runs->empty()) return std::nullopt;
  return std::move(runs->front());
}

}  // namespace

Result<> lease_task(Database& db, const Task& task, WallTime now, WallTime lease_until) {
  return lease_job(task, now, lease_until)(db);
}

Result<> migrate_tasks(Database& db) { return sqlite::migrate(db, "lane", kMigrations); }

TaskStore::TaskStore(Database reader, sqlite::Writer& writer)
    : reader_(std::move(reader)), writer_(&writer) {}

Result<TaskStore> TaskStore::open(const std::filesystem::path& path, sqlite::Writer& writer) {
  Result<Database> reader = Database::open(path, Database::Mode::kReadOnly);
  if (!reader) return std::unexpected(std::move(reader.error()));
  return TaskStore(std::move(*reader), writer);
}

void TaskStore::tell(const Consequences& then) const {
  if (on_ended_ && (then.unblocked || then.effects)) on_ended_(then);
}

asio::awaitable<Result<>> TaskStore::submit(RunInfo run, std::vector<Submission> tasks) {
  std::optional<SubmissionKey> no_key;
  Result<std::optional<SubmissionAnswer>> done =
      co_await submit_once(std::move(run), std::move(tasks), std::move(no_key));
  if (!done) co_return std::unexpected(std::move(done.error()));
  co_return Result<>{};
}

asio::awaitable<Result<std::optional<SubmissionAnswer>>> TaskStore::submit_once(
    RunInfo run, std::vector<Submission> tasks, std::optional<SubmissionKey> key) {
  auto outcome = std::make_shared<Outcome>();
  sqlite::Writer::Job job = submit_job(std::move(run), std::move(tasks), std::move(key), outcome);
  Result<> done = co_await writer_->run(std::move(job));
  if (!done) co_return std::unexpected(std::move(done.error()));
  tell(outcome->then);
  co_return std::move(outcome->answered);
}

asio::awaitable<Result<>> TaskStore::requeue_running(WallTime now, Millis longest_backoff) {
  sqlite::Writer::Job job = requeue_job(now, longest_backoff);
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<>> TaskStore::stop_waiting(WallTime now, Millis longest_backoff) {
  sqlite::Writer::Job job = [now, longest_backoff](Database& db) {
    return stop_long_waits(db, now, longest_backoff);
  };
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<>> TaskStore::shift(Millis by) {
  sqlite::Writer::Job job = shift_job(by);
  shifting_ = true;
  Result<> shifted = co_await writer_->run(std::move(job));
  shifting_ = false;
  co_return shifted;
}

Result<std::vector<DueTask>> TaskStore::due(WallTime now, const DueCursor& after,
                                            std::size_t limit) {
  std::vector<DueTask> due;
  if (shifting_) return due;
  if (Result<> read = read_turns(kRestOfTheMoment, now, after, limit, due); !read) {
    return std::unexpected(std::move(read.error()));
  }
  if (due.size() == limit) return due;
  if (Result<> read = read_turns(kLaterTurns, now, after, limit - due.size(), due); !read) {
    return std::unexpected(std::move(read.error()));
  }
  return due;
}

Result<std::optional<WallTime>> TaskStore::next_due(const DueCursor& after) {
  std::vector<DueTask> next;
  if (shifting_) return std::nullopt;
  for (const std::string_view sql : {kRestOfTheMoment, kLaterTurns}) {
    if (Result<> read = read_turns(sql, WallTime::max(), after, 1, next); !read) {
      return std::unexpected(std::move(read.error()));
    }
    if (!next.empty()) return from_unix_ms(next.front().cursor.ready_ms);
  }
  return std::nullopt;
}

Result<> TaskStore::read_turns(std::string_view sql, WallTime until, const DueCursor& after,
                               std::size_t limit, std::vector<DueTask>& turns) {
  Result<Statement*> rows = reader_.cached(sql);
  if (!rows) return std::unexpected(std::move(rows.error()));
  Statement& row = **rows;
  row.bind(1, unix_ms(until))
      .bind(2, after.ready_ms)
      .bind(3, after.row)
      .bind(4, static_cast<std::int64_t>(limit));
  while (true) {
    Result<bool> there = row.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return {};
    turns.push_back({.run = {std::string(row.text(0))},
                     .id = {std::string(row.text(1))},
                     .cursor = {.ready_ms = row.integer(2), .row = row.integer(3)}});
  }
}

asio::awaitable<Result<>> TaskStore::lease(const Task& task, WallTime now, WallTime lease_until) {
  sqlite::Writer::Job job = lease_job(task, now, lease_until);
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<>> TaskStore::save(Task task) {
  auto outcome = std::make_shared<Outcome>();
  sqlite::Writer::Job job = save_job(std::move(task), outcome);
  Result<> saved = co_await writer_->run(std::move(job));
  if (saved) tell(outcome->then);
  co_return saved;
}

asio::awaitable<Result<>> TaskStore::save_if(Task task, Guard guard) {
  auto outcome = std::make_shared<Outcome>();
  sqlite::Writer::Job job = guarded_job(std::move(guard), save_job(std::move(task), outcome));
  Result<> saved = co_await writer_->run(std::move(job));
  if (saved) tell(outcome->then);
  co_return saved;
}

asio::awaitable<Result<>> TaskStore::cancel(TaskId id, RunId run, WallTime now) {
  Result<std::optional<Task>> found = find(id, run);
  if (!found) co_return std::unexpected(std::move(found.error()));
  if (!*found) {
    co_return fail(ErrorCode::kNotFound, fmt::format("no task '{}'", id.value),
                   "`minimill task list` lists the tasks there are");
  }
  auto outcome = std::make_shared<Outcome>();
  sqlite::Writer::Job job = cancel_job((*found)->run, (*found)->spec.id, now, outcome);
  Result<> cancelled = co_await writer_->run(std::move(job));
  if (cancelled) tell(outcome->then);
  co_return cancelled;
}

asio::awaitable<Result<>> TaskStore::retry(TaskId id, RunId run, WallTime now) {
  sqlite::Writer::Job job = retry_job(std::move(run), std::move(id), now);
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<std::size_t>> TaskStore::retry_all(RunId run, policy::Scope scope,
                                                          WallTime now) {
  auto count = std::make_shared<std::size_t>(0);
  sqlite::Writer::Job job = retry_all_job(std::move(run), std::move(scope), now, count);
  Result<> done = co_await writer_->run(std::move(job));
  if (!done) co_return std::unexpected(std::move(done.error()));
  co_return *count;
}

asio::awaitable<Result<>> TaskStore::label_unlabelled(policy::Privacy privacy) {
  sqlite::Writer::Job job = [privacy](Database& db) { return label_tasks(db, privacy); };
  co_return co_await writer_->run(std::move(job));
}

Result<std::vector<TaskFailure>> TaskStore::failures(const TaskId& id, const RunId& run) {
  Result<Statement*> query = reader_.cached(
      "SELECT f.at_ms, f.attempt, f.lane, f.error FROM task_failures f JOIN tasks t "
      "ON t.row = f.task WHERE t.run = ?1 AND t.id = ?2 ORDER BY f.row");
  if (!query) return std::unexpected(std::move(query.error()));
  Statement& row = (*query)->bind(1, run.value).bind(2, id.value);
  std::vector<TaskFailure> failures;
  while (true) {
    Result<bool> there = row.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return failures;
    const bool cloud = row.integer(2) == chat::index(chat::Lane::kCloud);
    failures.push_back({.at = from_unix_ms(row.integer(0)),
                        .attempt = static_cast<int>(row.integer(1)),
                        .lane = cloud ? chat::Lane::kCloud : chat::Lane::kLocal,
                        .error = std::string(row.text(3))});
  }
}

Result<std::optional<Task>> TaskStore::find(const TaskId& id, const RunId& run,
                                            const policy::Scope& scope) {
  static const std::string kSql = "SELECT " + std::string(kTaskColumns) +
                                  " FROM tasks WHERE id = ?1 AND (run = ?2 OR ?2 IS NULL) "
                                  "AND (app = ?3 OR ?3 IS NULL) ORDER BY row DESC LIMIT 1";
  Result<Statement*> row = reader_.cached(kSql);
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)->bind(1, id.value).bind(3, scope.app());
  if (!run.empty()) (*row)->bind(2, run.value);
  Result<std::vector<Task>> tasks = read_tasks(**row);
  if (!tasks) return std::unexpected(std::move(tasks.error()));
  if (tasks->empty()) return std::nullopt;
  return std::move(tasks->front());
}

Result<std::vector<Task>> TaskStore::list(const Filter& filter) {
  static const std::string kSql = "SELECT " + std::string(kTaskColumns) +
                                  " FROM tasks WHERE (run = ?1 OR ?1 IS NULL) AND "
                                  "(state = ?2 OR ?2 IS NULL) AND (app = ?5 OR ?5 IS NULL) "
                                  "ORDER BY due_ms, row LIMIT ?3 OFFSET ?4";
  Result<Statement*> rows = reader_.cached(kSql);
  if (!rows) return std::unexpected(std::move(rows.error()));
  if (!filter.run.empty()) (*rows)->bind(1, filter.run.value);
  if (filter.state) (*rows)->bind(2, number(*filter.state));
  (*rows)
      ->bind(3, static_cast<std::int64_t>(filter.limit))
      .bind(4, static_cast<std::int64_t>(filter.offset))
      .bind(5, filter.scope.app());
  return read_tasks(**rows, filter.max_bytes);
}

Result<Progress> TaskStore::progress(const RunId& run) {
  Result<Statement*> query = reader_.cached(
      "SELECT count(*), total(state = 0), total(state = 1 AND lane = 0), "
      "total(state = 1 AND lane = 1), total(state = 2 AND lane = 0), "
      "total(state = 2 AND lane = 1), total(state = 3), total(state = 4), total(escalated), "
      "total(state = 2 AND coalesce(cloud_passed, local_passed) IS NOT NULL), "
      "total(state = 2 AND coalesce(cloud_passed, local_passed) = 1), "
      "coalesce(avg(started_ms - due_ms), 0) / 1000.0, total(cost_usd), "
      "total(state = 1 AND lane = 2), total(state = 2 AND lane = 2) FROM tasks WHERE run = ?1");
  if (!query) return std::unexpected(std::move(query.error()));
  Statement& row = **query;
  row.bind(1, run.value);
  Result<bool> there = row.step();
  if (!there) return std::unexpected(std::move(there.error()));
  Progress progress{.total = row.integer(0),
                    .waiting = row.integer(1),
                    .running_local = row.integer(2),
                    .running_cloud = row.integer(3),
                    .done_local = row.integer(4),
                    .done_cloud = row.integer(5),
                    .failed = row.integer(6),
                    .cancelled = row.integer(7),
                    .escalated = row.integer(8),
                    .checked = row.integer(9),
                    .passed = row.integer(10),
                    .mean_queue_age_s = row.real(11),
                    .cost_usd = row.real(12),
                    .running_batch = row.integer(13),
                    .done_batch = row.integer(14)};
  row.reset();
  return progress;
}

Result<std::vector<RunInfo>> TaskStore::runs(std::size_t limit, const policy::Scope& scope) {
  static const std::string kSql = std::string(kRunColumns) +
                                  "WHERE r.app = ?2 OR ?2 IS NULL "
                                  "ORDER BY r.created_ms DESC, r.rowid DESC LIMIT ?1";
  Result<Statement*> rows = reader_.cached(kSql);
  if (!rows) return std::unexpected(std::move(rows.error()));
  (*rows)->bind(1, static_cast<std::int64_t>(limit)).bind(2, scope.app());
  return read_runs(**rows);
}

Result<std::optional<RunInfo>> TaskStore::find_run(const RunId& id, const policy::Scope& scope) {
  static const std::string kSql =
      std::string(kRunColumns) + "WHERE r.id = ?1 AND (r.app = ?2 OR ?2 IS NULL)";
  Result<Statement*> row = reader_.cached(kSql);
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)->bind(1, id.value).bind(2, scope.app());
  return first(read_runs(**row));
}

Result<std::optional<RunInfo>> TaskStore::unfinished_run(std::string_view fingerprint,
                                                         const policy::Scope& scope) {
  static const std::string kSql =
      std::string(kRunColumns) +
      "WHERE r.fingerprint = ?1 AND (r.app = ?2 OR ?2 IS NULL) AND EXISTS "
      "(SELECT 1 FROM tasks t WHERE t.run = r.id AND t.state <= 1) "
      "ORDER BY r.created_ms DESC LIMIT 1";
  Result<Statement*> row = reader_.cached(kSql);
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)->bind(1, fingerprint).bind(2, scope.app());
  return first(read_runs(**row));
}

}  // namespace minimill::tasks
