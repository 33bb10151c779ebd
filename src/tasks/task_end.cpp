#include "tasks/task_end.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tasks/outbox.h"
#include "tasks/task_row.h"

namespace minimill::tasks {
namespace {

using sqlite::Database;
using sqlite::Statement;

constexpr std::size_t kMaxReasonBytes = 400;  // it is repeated in every task that comes after

/// At most kMaxReasonBytes, not cut in the middle of a UTF-8 sequence.
std::string cut(std::string_view text) {
  if (text.size() <= kMaxReasonBytes) return std::string(text);
  std::size_t end = kMaxReasonBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return std::string(text.substr(0, end)) + "…";
}

Result<Task> task_of(Database& db, std::int64_t row) {
  static const std::string kSql = fmt::format("SELECT {} FROM tasks WHERE row = ?1", kTaskColumns);
  Result<Statement*> query = db.cached(kSql);
  if (!query) return std::unexpected(std::move(query.error()));
  Result<std::vector<Task>> tasks = read_tasks((*query)->bind(1, row));
  if (!tasks) return std::unexpected(std::move(tasks.error()));
  if (tasks->empty()) return fail(ErrorCode::kInternal, fmt::format("no task in row {}", row));
  return std::move(tasks->front());
}

Result<> put_in_outbox(Database& db, std::int64_t row, WallTime now, Consequences& then) {
  Result<Task> task = task_of(db, row);
  if (!task) return std::unexpected(std::move(task.error()));
  then.effects = true;
  return insert_effect(db, *task, now);
}

Result<> unblock_those_after(Database& db, std::int64_t row, WallTime now, Consequences& then) {
  // Whoever becomes ready is ready now: a time in the past would lie behind those who look for
  // what has become due since they last looked.
  Result<Statement*> update = db.cached(
      "UPDATE tasks SET blockers = blockers - 1, "
      "ready_ms = CASE WHEN blockers = 1 THEN max(ready_ms, ?2) ELSE ready_ms END "
      "WHERE row IN (SELECT successor FROM task_after WHERE predecessor = ?1)");
  if (!update) return std::unexpected(std::move(update.error()));
  if (Result<> done = (*update)->bind(1, row).bind(2, unix_ms(now)).run(); !done) return done;
  then.unblocked = then.unblocked || db.changes() > 0;
  return {};
}

}  // namespace

Result<std::vector<std::int64_t>> row_numbers(Statement& query) {
  std::vector<std::int64_t> rows;
  while (true) {
    Result<bool> there = query.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return rows;
    rows.push_back(query.integer(0));
  }
}

Result<std::string> reason_after(Database& db, std::int64_t root) {
  Result<Statement*> query = db.cached("SELECT id, state, error FROM tasks WHERE row = ?1");
  if (!query) return std::unexpected(std::move(query.error()));
  Statement& row = (*query)->bind(1, root);
  Result<bool> there = row.step();
  if (!there) return std::unexpected(std::move(there.error()));
  if (!*there) return fail(ErrorCode::kInternal, fmt::format("no task in row {}", root));
  std::string reason =
      row.integer(1) == number(TaskState::kCancelled)
          ? fmt::format("comes after '{}', which was cancelled", row.text(0))
          : fmt::format("comes after '{}', which failed: {}", row.text(0), cut(row.text(2)));
  row.reset();
  return reason;
}

Result<> fail_those_after(Database& db, std::int64_t root, WallTime now, Consequences& then) {
  // Bounded by the run: a task is reached once. Those that have failed already keep their reason.
  Result<Statement*> query = db.cached(
      "WITH RECURSIVE later(row) AS (SELECT successor FROM task_after WHERE predecessor = ?1 "
      "UNION SELECT a.successor FROM later l JOIN task_after a ON a.predecessor = l.row) "
      "SELECT t.row, t.notify FROM later l JOIN tasks t ON t.row = l.row WHERE t.state = 0");
  if (!query) return std::unexpected(std::move(query.error()));
  struct Later {
    std::int64_t row;
    bool told;
  };
  std::vector<Later> later;
  Statement& each = (*query)->bind(1, root);
  while (true) {
    Result<bool> there = each.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) break;
    later.push_back({.row = each.integer(0), .told = !each.text(1).empty()});
  }
  if (later.empty()) return {};
  Result<std::string> reason = reason_after(db, root);
  if (!reason) return std::unexpected(std::move(reason.error()));
  for (const Later& task : later) {
    Result<Statement*> update = db.cached(
        "UPDATE tasks SET state = ?2, error = ?3, failed_after = ?4, finished_ms = ?5 "
        "WHERE row = ?1");
    if (!update) return std::unexpected(std::move(update.error()));
    (*update)
        ->bind(1, task.row)
        .bind(2, number(TaskState::kFailed))
        .bind(3, *reason)
        .bind(4, root)
        .bind(5, unix_ms(now));
    if (Result<> done = (*update)->run(); !done) return done;
    if (!task.told) continue;
    if (Result<> put = put_in_outbox(db, task.row, now, then); !put) return put;
  }
  return {};
}

Result<> task_ended(Database& db, std::int64_t row, WallTime now, Consequences& then) {
  Result<Statement*> query = db.cached(
      "SELECT state, notify, EXISTS (SELECT 1 FROM task_after WHERE predecessor = ?1) "
      "FROM tasks WHERE row = ?1");
  if (!query) return std::unexpected(std::move(query.error()));
  Statement& task = (*query)->bind(1, row);
  Result<bool> there = task.step();
  if (!there) return std::unexpected(std::move(there.error()));
  if (!*there) return fail(ErrorCode::kInternal, fmt::format("no task in row {}", row));
  const std::int64_t state = task.integer(0);
  const bool told = !task.text(1).empty();
  const bool has_later = task.integer(2) != 0;
  task.reset();
  then.at = now;
  if (told) {
    if (Result<> put = put_in_outbox(db, row, now, then); !put) return put;
  }
  if (!has_later) return {};
  return state == number(TaskState::kDone) ? unblock_those_after(db, row, now, then)
                                           : fail_those_after(db, row, now, then);
}

}  // namespace minimill::tasks
