#include "lane/task_store.h"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <utility>

#include "base/json.h"
#include "sqlite/migrations.h"

namespace minimill::lane {
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
};

constexpr std::string_view kColumns =
    "spec, run, state, due_ms, ready_ms, started_ms, finished_ms, attempts, request, lane, "
    "escalated, local_passed, cloud_passed, local_s, cloud_s, prompt_tokens, completion_tokens, "
    "cost_usd, all_cloud_cost_usd, operation, model, answer, error";

constexpr int number(TaskState state) { return static_cast<int>(state); }

/// The column `lane`: a route::Lane, or that of tasks which go through a batch.
constexpr int kBatch = route::kLaneCount;
int lane_number(const Task& task) { return task.batched ? kBatch : route::index(task.lane); }

std::optional<WallTime> time_of(std::optional<std::int64_t> ms) {
  if (!ms) return std::nullopt;
  return from_unix_ms(*ms);
}

std::optional<std::int64_t> ms_of(std::optional<WallTime> time) {
  if (!time) return std::nullopt;
  return unix_ms(*time);
}

std::optional<bool> flag_of(std::optional<std::int64_t> value) {
  if (!value) return std::nullopt;
  return *value != 0;
}

Result<Task> read_task(const Statement& row) {
  Result<TaskSpec> spec = parse_task(row.text(0), "stored task");
  if (!spec) return std::unexpected(std::move(spec.error()));
  Task task;
  task.spec = std::move(*spec);
  task.run = {std::string(row.text(1))};
  task.state = static_cast<TaskState>(row.integer(2));
  task.due = from_unix_ms(row.integer(3));
  if (row.integer(4) != row.integer(3)) task.not_before = from_unix_ms(row.integer(4));
  task.started = time_of(row.optional_integer(5));
  task.finished = time_of(row.optional_integer(6));
  task.attempts = static_cast<int>(row.integer(7));
  task.request = {std::string(row.text(8))};
  task.lane = row.integer(9) == route::index(route::Lane::kLocal) ? route::Lane::kLocal
                                                                  : route::Lane::kCloud;
  task.batched = row.integer(9) == kBatch;
  task.escalated = row.integer(10) != 0;
  task.local_passed = flag_of(row.optional_integer(11));
  task.cloud_passed = flag_of(row.optional_integer(12));
  task.local_s = row.real(13);
  task.cloud_s = row.real(14);
  task.prompt_tokens = row.integer(15);
  task.completion_tokens = row.integer(16);
  task.cost_usd = row.real(17);
  task.all_cloud_cost_usd = row.real(18);
  task.operation = row.text(19);
  task.model = row.text(20);
  task.answer = row.text(21);
  task.error = row.text(22);
  return task;
}

Result<std::vector<Task>> read_tasks(Statement& rows) {
  std::vector<Task> tasks;
  while (true) {
    Result<bool> there = rows.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return tasks;
    Result<Task> task = read_task(rows);
    if (!task) return std::unexpected(std::move(task.error()));
    tasks.push_back(std::move(*task));
  }
}

Result<> insert_run(Database& db, const RunInfo& run) {
  Result<Statement*> row = db.cached(
      "INSERT INTO runs(id, name, fingerprint, settings, created_ms) VALUES(?1,?2,?3,?4,?5) "
      "ON CONFLICT(id) DO NOTHING");
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)
      ->bind(1, run.id.value)
      .bind(2, run.name)
      .bind(3, run.fingerprint)
      .bind(4, json::serialize(run.settings))
      .bind(5, unix_ms(run.created));
  return (*row)->run();
}

/// Inserts, or finds that the same task is there already.
Result<> insert_task(Database& db, const RunId& run, const Submission& task) {
  const std::string spec = json::serialize(to_json(task.spec));
  Result<Statement*> row = db.cached(
      "INSERT INTO tasks(run, id, spec, state, due_ms, ready_ms) VALUES(?1,?2,?3,?4,?5,?5) "
      "ON CONFLICT(run, id) DO NOTHING");
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)
      ->bind(1, run.value)
      .bind(2, task.spec.id.value)
      .bind(3, spec)
      .bind(4, number(TaskState::kQueued))
      .bind(5, unix_ms(task.due));
  if (Result<> done = (*row)->run(); !done) return done;
  if (db.changes() > 0) return {};

  Result<Statement*> there = db.cached("SELECT spec FROM tasks WHERE run = ?1 AND id = ?2");
  if (!there) return std::unexpected(std::move(there.error()));
  (*there)->bind(1, run.value).bind(2, task.spec.id.value);
  Result<bool> found = (*there)->step();
  if (!found) return std::unexpected(std::move(found.error()));
  const bool same = *found && (*there)->text(0) == spec;
  (*there)->reset();
  if (same) return {};
  return fail(ErrorCode::kConflict,
              fmt::format("task '{}' is already there with other content", task.spec.id.value),
              "give it another id");
}

Result<> update(Database& db, const Task& task) {
  Result<Statement*> row = db.cached(
      "UPDATE tasks SET state=?3, ready_ms=?4, started_ms=?5, finished_ms=?6, attempts=?7, "
      "request=?8, lane=?9, escalated=?10, local_passed=?11, cloud_passed=?12, local_s=?13, "
      "cloud_s=?14, prompt_tokens=?15, completion_tokens=?16, cost_usd=?17, "
      "all_cloud_cost_usd=?18, operation=?19, model=?20, answer=?21, error=?22, "
      "lease_until_ms=NULL WHERE run=?1 AND id=?2 AND state != ?23");
  if (!row) return std::unexpected(std::move(row.error()));
  const auto flag = [](std::optional<bool> value) {
    return value ? std::optional<std::int64_t>(*value) : std::nullopt;
  };
  (*row)
      ->bind(1, task.run.value)
      .bind(2, task.spec.id.value)
      .bind(3, number(task.state))
      .bind(4, unix_ms(task.not_before.value_or(task.due)))
      .bind(5, ms_of(task.started))
      .bind(6, ms_of(task.finished))
      .bind(7, task.attempts)
      .bind(8, task.request.value)
      .bind(9, lane_number(task))
      .bind(10, task.escalated)
      .bind(11, flag(task.local_passed))
      .bind(12, flag(task.cloud_passed))
      .bind(13, task.local_s)
      .bind(14, task.cloud_s)
      .bind(15, task.prompt_tokens)
      .bind(16, task.completion_tokens)
      .bind(17, task.cost_usd)
      .bind(18, task.all_cloud_cost_usd)
      .bind(19, task.operation)
      .bind(20, task.model)
      .bind(21, task.answer)
      .bind(22, task.error)
      .bind(23, number(TaskState::kCancelled));
  return (*row)->run();
}

Result<> requeue(Database& db) {
  Result<Statement*> row = db.cached(
      "UPDATE tasks SET state = ?1, lease_until_ms = NULL WHERE state = ?2 AND lane != ?3");
  if (!row) return std::unexpected(std::move(row.error()));
  return (*row)
      ->bind(1, number(TaskState::kQueued))
      .bind(2, number(TaskState::kRunning))
      .bind(3, kBatch)
      .run();
}

// Jobs are made by plain functions, so that no coroutine has a capturing lambda in it (see the
// design's note on g++ 12).

sqlite::Writer::Job submit_job(RunInfo run, std::vector<Submission> tasks) {
  return [run = std::move(run), tasks = std::move(tasks)](Database& db) -> Result<> {
    if (Result<> made = insert_run(db, run); !made) return made;
    for (const Submission& task : tasks) {
      if (Result<> inserted = insert_task(db, run.id, task); !inserted) return inserted;
    }
    return {};
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

sqlite::Writer::Job save_job(Task task) {
  return [task = std::move(task)](Database& db) { return update(db, task); };
}

sqlite::Writer::Job cancel_job(RunId run, TaskId id) {
  return [run = std::move(run), id = std::move(id)](Database& db) -> Result<> {
    Result<Statement*> row = db.cached(
        "UPDATE tasks SET state = ?3, lease_until_ms = NULL "
        "WHERE run = ?1 AND id = ?2 AND state <= 1");
    if (!row) return std::unexpected(std::move(row.error()));
    (*row)->bind(1, run.value).bind(2, id.value).bind(3, number(TaskState::kCancelled));
    if (Result<> done = (*row)->run(); !done) return done;
    if (db.changes() == 1) return {};
    return fail(ErrorCode::kConflict, fmt::format("task '{}' has already ended", id.value));
  };
}

RunInfo read_run(const Statement& row) {
  RunInfo run;
  run.id = {std::string(row.text(0))};
  run.name = row.text(1);
  run.fingerprint = row.text(2);
  if (Result<json::object> settings = parse_json_object(row.text(3))) run.settings = *settings;
  run.created = from_unix_ms(row.integer(4));
  run.total = row.integer(5);
  run.unfinished = row.integer(6);
  return run;
}

// Unfinished: queued or running, the first two states.
constexpr std::string_view kRunColumns =
    "SELECT r.id, r.name, r.fingerprint, r.settings, r.created_ms, "
    "(SELECT count(*) FROM tasks t WHERE t.run = r.id), "
    "(SELECT count(*) FROM tasks t WHERE t.run = r.id AND t.state <= 1) FROM runs r ";

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

Result<> save_task(Database& db, const Task& task) { return update(db, task); }

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

asio::awaitable<Result<>> TaskStore::submit(RunInfo run, std::vector<Submission> tasks) {
  sqlite::Writer::Job job = submit_job(std::move(run), std::move(tasks));
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<>> TaskStore::requeue_running() {
  sqlite::Writer::Job job(requeue);
  co_return co_await writer_->run(std::move(job));
}

Result<std::vector<DueTask>> TaskStore::due(WallTime now, const DueCursor& after,
                                            std::size_t limit) {
  Result<Statement*> rows = reader_.cached(
      "SELECT run, id, ready_ms, row FROM tasks WHERE state = 0 AND ready_ms <= ?1 "
      "AND (ready_ms, row) > (?2, ?3) ORDER BY ready_ms, row LIMIT ?4");
  if (!rows) return std::unexpected(std::move(rows.error()));
  Statement& row = **rows;
  row.bind(1, unix_ms(now))
      .bind(2, after.ready_ms)
      .bind(3, after.row)
      .bind(4, static_cast<std::int64_t>(limit));
  std::vector<DueTask> due;
  while (true) {
    Result<bool> there = row.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return due;
    due.push_back({.run = {std::string(row.text(0))},
                   .id = {std::string(row.text(1))},
                   .cursor = {.ready_ms = row.integer(2), .row = row.integer(3)}});
  }
}

Result<std::optional<WallTime>> TaskStore::next_due(const DueCursor& after) {
  Result<Statement*> rows = reader_.cached(
      "SELECT ready_ms FROM tasks WHERE state = 0 AND (ready_ms, row) > (?1, ?2) "
      "ORDER BY ready_ms, row LIMIT 1");
  if (!rows) return std::unexpected(std::move(rows.error()));
  Statement& row = **rows;
  row.bind(1, after.ready_ms).bind(2, after.row);
  Result<bool> there = row.step();
  if (!there) return std::unexpected(std::move(there.error()));
  if (!*there) return std::nullopt;
  const WallTime next = from_unix_ms(row.integer(0));
  row.reset();
  return next;
}

asio::awaitable<Result<>> TaskStore::lease(const Task& task, WallTime now, WallTime lease_until) {
  sqlite::Writer::Job job = lease_job(task, now, lease_until);
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<>> TaskStore::save(Task task) {
  sqlite::Writer::Job job = save_job(std::move(task));
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<>> TaskStore::cancel(TaskId id, RunId run) {
  Result<std::optional<Task>> found = find(id, run);
  if (!found) co_return std::unexpected(std::move(found.error()));
  if (!*found) {
    co_return fail(ErrorCode::kNotFound, fmt::format("no task '{}'", id.value),
                   "`minimill task list` lists the tasks there are");
  }
  sqlite::Writer::Job job = cancel_job((*found)->run, (*found)->spec.id);
  co_return co_await writer_->run(std::move(job));
}

Result<std::optional<Task>> TaskStore::find(const TaskId& id, const RunId& run) {
  static const std::string kSql = "SELECT " + std::string(kColumns) +
                                  " FROM tasks WHERE id = ?1 AND (run = ?2 OR ?2 IS NULL) "
                                  "ORDER BY row DESC LIMIT 1";
  Result<Statement*> row = reader_.cached(kSql);
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)->bind(1, id.value);
  if (!run.empty()) (*row)->bind(2, run.value);
  Result<std::vector<Task>> tasks = read_tasks(**row);
  if (!tasks) return std::unexpected(std::move(tasks.error()));
  if (tasks->empty()) return std::nullopt;
  return std::move(tasks->front());
}

Result<std::vector<Task>> TaskStore::list(const Filter& filter) {
  static const std::string kSql =
      "SELECT " + std::string(kColumns) +
      " FROM tasks WHERE (run = ?1 OR ?1 IS NULL) AND "
      "(state = ?2 OR ?2 IS NULL) ORDER BY due_ms, row LIMIT ?3 OFFSET ?4";
  Result<Statement*> rows = reader_.cached(kSql);
  if (!rows) return std::unexpected(std::move(rows.error()));
  if (!filter.run.empty()) (*rows)->bind(1, filter.run.value);
  if (filter.state) (*rows)->bind(2, number(*filter.state));
  (*rows)
      ->bind(3, static_cast<std::int64_t>(filter.limit))
      .bind(4, static_cast<std::int64_t>(filter.offset));
  return read_tasks(**rows);
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

Result<std::vector<RunInfo>> TaskStore::runs(std::size_t limit) {
  static const std::string kSql =
      std::string(kRunColumns) + "ORDER BY r.created_ms DESC, r.rowid DESC LIMIT ?1";
  Result<Statement*> rows = reader_.cached(kSql);
  if (!rows) return std::unexpected(std::move(rows.error()));
  (*rows)->bind(1, static_cast<std::int64_t>(limit));
  return read_runs(**rows);
}

Result<std::optional<RunInfo>> TaskStore::find_run(const RunId& id) {
  static const std::string kSql = std::string(kRunColumns) + "WHERE r.id = ?1";
  Result<Statement*> row = reader_.cached(kSql);
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)->bind(1, id.value);
  return first(read_runs(**row));
}

Result<std::optional<RunInfo>> TaskStore::unfinished_run(std::string_view fingerprint) {
  static const std::string kSql = std::string(kRunColumns) +
                                  "WHERE r.fingerprint = ?1 AND EXISTS "
                                  "(SELECT 1 FROM tasks t WHERE t.run = r.id AND t.state <= 1) "
                                  "ORDER BY r.created_ms DESC LIMIT 1";
  Result<Statement*> row = reader_.cached(kSql);
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)->bind(1, fingerprint);
  return first(read_runs(**row));
}

}  // namespace minimill::lane
