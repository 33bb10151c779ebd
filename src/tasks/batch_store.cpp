#include "tasks/batch_store.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/rfc3339.h"
#include "sqlite/migrations.h"
#include "tasks/task_store.h"

namespace minimill::tasks {
namespace {

using sqlite::Database;
using sqlite::Statement;

constexpr std::array kMigrations{
    // 1
    "CREATE TABLE batches("
    "  row INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, provider TEXT NOT NULL,"
    "  model TEXT NOT NULL, state INTEGER NOT NULL, remote_id TEXT NOT NULL DEFAULT '',"
    "  created_ms INTEGER NOT NULL, sent_ms INTEGER, ended_ms INTEGER,"
    "  cancel_asked INTEGER NOT NULL DEFAULT 0, cost_usd REAL NOT NULL DEFAULT 0,"
    "  error TEXT NOT NULL DEFAULT '');"
    "CREATE INDEX batches_by_state ON batches(state);"
    "CREATE TABLE batch_tasks("
    "  batch TEXT NOT NULL REFERENCES batches(id), request TEXT NOT NULL, run TEXT NOT NULL,"
    "  task TEXT NOT NULL, state INTEGER NOT NULL DEFAULT 0, take_back_ms INTEGER NOT NULL,"
    "  operation TEXT NOT NULL, p_local_ok REAL NOT NULL, threshold REAL NOT NULL,"
    "  reasons TEXT NOT NULL, PRIMARY KEY(batch, request)) WITHOUT ROWID;"
    "CREATE INDEX batch_tasks_by_task ON batch_tasks(run, task);",
    // 2
    "ALTER TABLE batches ADD COLUMN body_hash TEXT NOT NULL DEFAULT '';",
    // 3: whose it is
    "ALTER TABLE batches ADD COLUMN app TEXT NOT NULL DEFAULT '';",
};

constexpr std::array<std::string_view, 4> kStates{"sending", "running", "ended", "failed"};
constexpr std::array<std::string_view, 4> kTaskStates{"waiting", "answered", "given back", "late"};

constexpr int number(BatchState state) { return static_cast<int>(state); }
constexpr int number(BatchTaskState state) { return static_cast<int>(state); }

constexpr std::string_view kBatchColumns =
    "SELECT b.id, b.provider, b.model, b.state, b.remote_id, b.created_ms, b.sent_ms, b.ended_ms, "
    "b.cancel_asked, b.cost_usd, b.error, "
    "(SELECT count(*) FROM batch_tasks t WHERE t.batch = b.id AND t.state = 0), "
    "(SELECT count(*) FROM batch_tasks t WHERE t.batch = b.id AND t.state = 1), "
    "(SELECT count(*) FROM batch_tasks t WHERE t.batch = b.id AND t.state >= 2), b.body_hash, "
    "b.app "
    "FROM batches b ";

std::optional<WallTime> time_of(std::optional<std::int64_t> ms) {
  if (!ms) return std::nullopt;
  return from_unix_ms(*ms);
}

Batch read_batch(const Statement& row) {
  Batch batch;
  batch.id = {std::string(row.text(0))};
  batch.provider = row.text(1);
  batch.model = row.text(2);
  batch.state = static_cast<BatchState>(row.integer(3));
  batch.remote_id = row.text(4);
  batch.created = from_unix_ms(row.integer(5));
  batch.sent = time_of(row.optional_integer(6));
  batch.ended = time_of(row.optional_integer(7));
  batch.cancel_asked = row.integer(8) != 0;
  batch.cost_usd = row.real(9);
  batch.error = row.text(10);
  batch.waiting = row.integer(11);
  batch.answered = row.integer(12);
  batch.given_back = row.integer(13);
  batch.body_hash = row.text(14);
  batch.app = row.text(15);
  return batch;
}

Result<std::vector<Batch>> read_batches(Statement& rows) {
  std::vector<Batch> batches;
  while (true) {
    Result<bool> there = rows.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return batches;
    batches.push_back(read_batch(rows));
  }
}

Result<> insert_batch(Database& db, const Batch& batch) {
  Result<Statement*> row = db.cached(
      "INSERT INTO batches(id, provider, model, state, created_ms, app) "
      "VALUES(?1,?2,?3,?4,?5,?6)");
  if (!row) return std::unexpected(std::move(row.error()));
  return (*row)
      ->bind(1, batch.id.value)
      .bind(2, batch.provider)
      .bind(3, batch.model)
      .bind(4, number(BatchState::kSending))
      .bind(5, unix_ms(batch.created))
      .bind(6, batch.app)
      .run();
}

Result<> insert_task(Database& db, const BatchId& batch, const BatchTask& task) {
  Result<Statement*> row = db.cached(
      "INSERT INTO batch_tasks(batch, request, run, task, take_back_ms, operation, p_local_ok, "
      "threshold, reasons) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9)");
  if (!row) return std::unexpected(std::move(row.error()));
  return (*row)
      ->bind(1, batch.value)
      .bind(2, task.request.value)
      .bind(3, task.run.value)
      .bind(4, task.task.value)
      .bind(5, unix_ms(task.take_back))
      .bind(6, task.operation)
      .bind(7, task.p_local_ok)
      .bind(8, task.threshold)
      .bind(9, task.reasons)
      .run();
}

Result<> begin_batch(Database& db, const Batch& batch, const std::vector<BatchTask>& tasks) {
  if (Result<> inserted = insert_batch(db, batch); !inserted) return inserted;
  for (const BatchTask& each : tasks) {
    Task task;
    task.spec.id = each.task;
    task.run = each.run;
    task.lane = chat::Lane::kCloud;
    task.batched = true;
    Result<> leased = lease_task(db, task, batch.created, each.take_back);
    if (!leased && leased.error().code == ErrorCode::kConflict) continue;  // cancelled meanwhile
    if (!leased) return leased;
    if (Result<> inserted = insert_task(db, batch.id, each); !inserted) return inserted;
  }
  return {};
}

Result<bool> set_task_state(Database& db, const BatchId& id, const RequestId& request,
                            BatchTaskState from, BatchTaskState to) {
  Result<Statement*> row = db.cached(
      "UPDATE batch_tasks SET state = ?4 WHERE batch = ?1 AND request = ?2 AND state = ?3");
  if (!row) return std::unexpected(std::move(row.error()));
  Result<> done = (*row)
                      ->bind(1, id.value)
                      .bind(2, request.value)
                      .bind(3, number(from))
                      .bind(4, number(to))
                      .run();
  if (!done) return std::unexpected(std::move(done.error()));
  return db.changes() == 1;
}

Result<> add_cost(Database& db, const BatchId& id, double cost_usd) {
  Result<Statement*> row = db.cached("UPDATE batches SET cost_usd = cost_usd + ?2 WHERE id = ?1");
  if (!row) return std::unexpected(std::move(row.error()));
  return (*row)->bind(1, id.value).bind(2, cost_usd).run();
}

// Jobs are made by plain functions, so that no coroutine has a capturing lambda in it (see the
// design's note on g++ 12).

sqlite::Writer::Job begin_job(Batch batch, std::vector<BatchTask> tasks) {
  return [batch = std::move(batch), tasks = std::move(tasks)](Database& db) {
    return begin_batch(db, batch, tasks);
  };
}

sqlite::Writer::Job body_job(BatchId id, std::string hash) {
  return [id = std::move(id), hash = std::move(hash)](Database& db) -> Result<> {
    Result<Statement*> row =
        db.cached("UPDATE batches SET body_hash = ?2 WHERE id = ?1 AND body_hash IN ('', ?2)");
    if (!row) return std::unexpected(std::move(row.error()));
    if (Result<> done = (*row)->bind(1, id.value).bind(2, hash).run(); !done) return done;
    if (db.changes() == 1) return {};
    return fail(ErrorCode::kConflict,
                fmt::format("batch '{}' was sent with another body before", id.value));
  };
}

sqlite::Writer::Job confirm_job(BatchId id, std::string remote_id, WallTime now) {
  return [id = std::move(id), remote_id = std::move(remote_id), now](Database& db) -> Result<> {
    Result<Statement*> row =
        db.cached("UPDATE batches SET state = ?2, remote_id = ?3, sent_ms = ?4 WHERE id = ?1");
    if (!row) return std::unexpected(std::move(row.error()));
    return (*row)
        ->bind(1, id.value)
        .bind(2, number(BatchState::kRunning))
        .bind(3, remote_id)
        .bind(4, unix_ms(now))
        .run();
  };
}

TaskStore::Guard settle_guard(BatchId id, RequestId request, BatchTaskState state,
                              double cost_usd) {
  return [id = std::move(id), request = std::move(request), state,
          cost_usd](Database& db) -> Result<bool> {
    Result<bool> settled = set_task_state(db, id, request, BatchTaskState::kWaiting, state);
    if (!settled || !*settled) return settled;
    if (Result<> added = add_cost(db, id, cost_usd); !added) {
      return std::unexpected(std::move(added.error()));
    }
    return true;
  };
}

sqlite::Writer::Job late_job(BatchId id, RequestId request, double cost_usd) {
  return [id = std::move(id), request = std::move(request), cost_usd](Database& db) -> Result<> {
    Result<bool> noted =
        set_task_state(db, id, request, BatchTaskState::kGivenBack, BatchTaskState::kLate);
    if (!noted) return std::unexpected(std::move(noted.error()));
    return *noted ? add_cost(db, id, cost_usd) : Result<>{};
  };
}

sqlite::Writer::Job end_job(BatchId id, BatchState state, std::string error, WallTime now) {
  return [id = std::move(id), state, error = std::move(error), now](Database& db) -> Result<> {
    Result<Statement*> row =
        db.cached("UPDATE batches SET state = ?2, error = ?3, ended_ms = ?4 WHERE id = ?1");
    if (!row) return std::unexpected(std::move(row.error()));
    return (*row)
        ->bind(1, id.value)
        .bind(2, number(state))
        .bind(3, error)
        .bind(4, unix_ms(now))
        .run();
  };
}

sqlite::Writer::Job cancel_job(BatchId id) {
  return [id = std::move(id)](Database& db) -> Result<> {
    Result<Statement*> row =
        db.cached("UPDATE batches SET cancel_asked = 1 WHERE id = ?1 AND state <= 1");
    if (!row) return std::unexpected(std::move(row.error()));
    if (Result<> done = (*row)->bind(1, id.value).run(); !done) return done;
    if (db.changes() == 1) return {};
    return fail(ErrorCode::kConflict, fmt::format("batch '{}' has already ended", id.value));
  };
}

Result<> requeue(Database& db) {
  return db.exec(
      "UPDATE tasks SET state = 0, lane = 1, lease_until_ms = NULL WHERE state = 1 AND lane = 2 "
      "AND NOT EXISTS (SELECT 1 FROM batch_tasks t JOIN batches b ON b.id = t.batch "
      "WHERE t.run = tasks.run AND t.task = tasks.id AND t.state = 0 AND b.state <= 1)");
}

}  // namespace

std::string_view name(BatchState state) { return kStates[static_cast<std::size_t>(state)]; }
std::string_view name(BatchTaskState state) { return kTaskStates[static_cast<std::size_t>(state)]; }

json::object to_json(const Batch& batch) {
  json::object object{{"id", batch.id.value},
                      {"provider", batch.provider},
                      {"model", batch.model},
                      {"state", name(batch.state)},
                      {"remote_id", batch.remote_id},
                      {"created_at", rfc3339(batch.created)},
                      {"tasks", batch.waiting + batch.answered + batch.given_back},
                      {"waiting", batch.waiting},
                      {"answered", batch.answered},
                      {"given_back", batch.given_back},
                      {"cancel_asked", batch.cancel_asked},
                      {"cost_usd", batch.cost_usd},
                      {"error", batch.error}};
  if (batch.sent) object["sent_at"] = rfc3339(*batch.sent);
  if (batch.ended) object["ended_at"] = rfc3339(*batch.ended);
  return object;
}

json::object to_json(const BatchTask& task) {
  return {{"task", task.task.value},
          {"run", task.run.value},
          {"request", task.request.value},
          {"state", name(task.state)},
          {"take_back_at", rfc3339(task.take_back)}};
}

Result<> migrate_batches(Database& db) { return sqlite::migrate(db, "batch", kMigrations); }

BatchStore::BatchStore(Database reader, sqlite::Writer& writer)
    : reader_(std::move(reader)), writer_(&writer) {}

Result<BatchStore> BatchStore::open(const std::filesystem::path& path, sqlite::Writer& writer) {
  Result<Database> reader = Database::open(path, Database::Mode::kReadOnly);
  if (!reader) return std::unexpected(std::move(reader.error()));
  return BatchStore(std::move(*reader), writer);
}

asio::awaitable<Result<>> BatchStore::begin(Batch batch, std::vector<BatchTask> tasks) {
  sqlite::Writer::Job job = begin_job(std::move(batch), std::move(tasks));
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<>> BatchStore::note_body(BatchId id, std::string body_hash) {
  sqlite::Writer::Job job = body_job(std::move(id), std::move(body_hash));
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<>> BatchStore::confirm(BatchId id, std::string remote_id, WallTime now) {
  sqlite::Writer::Job job = confirm_job(std::move(id), std::move(remote_id), now);
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<>> BatchStore::settle(TaskStore& tasks, BatchId id, RequestId request,
                                             BatchTaskState state, Task task, double cost_usd) {
  TaskStore::Guard guard = settle_guard(std::move(id), std::move(request), state, cost_usd);
  co_return co_await tasks.save_if(std::move(task), std::move(guard));
}

asio::awaitable<Result<>> BatchStore::note_late(BatchId id, RequestId request, double cost_usd) {
  sqlite::Writer::Job job = late_job(std::move(id), std::move(request), cost_usd);
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<>> BatchStore::end(BatchId id, BatchState state, std::string error,
                                          WallTime now) {
  sqlite::Writer::Job job = end_job(std::move(id), state, std::move(error), now);
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<>> BatchStore::ask_cancel(BatchId id) {
  Result<std::optional<Batch>> found = find(id);
  if (!found) co_return std::unexpected(std::move(found.error()));
  if (!*found) {
    co_return fail(ErrorCode::kNotFound, fmt::format("no batch '{}'", id.value),
                   "`minimill batch list` lists the batches there are");
  }
  sqlite::Writer::Job job = cancel_job(std::move(id));
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<>> BatchStore::requeue_strays() {
  sqlite::Writer::Job job(requeue);
  co_return co_await writer_->run(std::move(job));
}

Result<std::optional<Batch>> BatchStore::find(const BatchId& id, const policy::Scope& scope) {
  static const std::string kSql =
      std::string(kBatchColumns) + "WHERE b.id = ?1 AND (b.app = ?2 OR ?2 IS NULL)";
  Result<Statement*> row = reader_.cached(kSql);
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)->bind(1, id.value).bind(2, scope.app());
  Result<std::vector<Batch>> batches = read_batches(**row);
  if (!batches) return std::unexpected(std::move(batches.error()));
  if (batches->empty()) return std::nullopt;
  return std::move(batches->front());
}

Result<std::vector<Batch>> BatchStore::list(std::size_t limit, const policy::Scope& scope) {
  static const std::string kSql =
      std::string(kBatchColumns) + "WHERE b.app = ?2 OR ?2 IS NULL ORDER BY b.row DESC LIMIT ?1";
  Result<Statement*> rows = reader_.cached(kSql);
  if (!rows) return std::unexpected(std::move(rows.error()));
  (*rows)->bind(1, static_cast<std::int64_t>(limit)).bind(2, scope.app());
  return read_batches(**rows);
}

Result<std::vector<Batch>> BatchStore::open_batches() {
  static const std::string kSql = std::string(kBatchColumns) + "WHERE b.state <= 1 ORDER BY b.row";
  Result<Statement*> rows = reader_.cached(kSql);
  if (!rows) return std::unexpected(std::move(rows.error()));
  return read_batches(**rows);
}

Result<bool> BatchStore::has_had(const RunId& run, const TaskId& task) {
  Result<Statement*> row =
      reader_.cached("SELECT EXISTS(SELECT 1 FROM batch_tasks WHERE run = ?1 AND task = ?2)");
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)->bind(1, run.value).bind(2, task.value);
  Result<bool> there = (*row)->step();
  if (!there) return there;
  const bool had = (*row)->integer(0) != 0;
  (*row)->reset();
  return had;
}

Result<std::vector<BatchTask>> BatchStore::tasks_of(const BatchId& id) {
  Result<Statement*> rows = reader_.cached(
      "SELECT request, run, task, state, take_back_ms, operation, p_local_ok, threshold, reasons "
      "FROM batch_tasks WHERE batch = ?1 ORDER BY request");
  if (!rows) return std::unexpected(std::move(rows.error()));
  Statement& row = **rows;
  row.bind(1, id.value);
  std::vector<BatchTask> tasks;
  while (true) {
    Result<bool> there = row.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return tasks;
    BatchTask task;
    task.request = {std::string(row.text(0))};
    task.run = {std::string(row.text(1))};
    task.task = {std::string(row.text(2))};
    task.state = static_cast<BatchTaskState>(row.integer(3));
    task.take_back = from_unix_ms(row.integer(4));
    task.operation = row.text(5);
    task.p_local_ok = row.real(6);
    task.threshold = row.real(7);
    task.reasons = row.text(8);
    tasks.push_back(std::move(task));
  }
}

}  // namespace minimill::tasks
