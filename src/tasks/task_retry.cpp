#include "tasks/task_retry.h"

#include <fmt/format.h>

#include <optional>
#include <unordered_set>
#include <utility>

#include "tasks/task_end.h"
#include "tasks/task_row.h"

namespace minimill::tasks {
namespace {

using sqlite::Database;
using sqlite::Statement;
using Rows = std::vector<std::int64_t>;

Result<Rows> rows_of(Database& db, std::string_view sql, std::int64_t row) {
  Result<Statement*> query = db.cached(sql);
  if (!query) return std::unexpected(std::move(query.error()));
  return row_numbers((*query)->bind(1, row));
}

/// Something it comes after that has ended badly and is not itself tried anew: the root to name.
Result<std::optional<std::int64_t>> still_in_the_way(Database& db, std::int64_t row,
                                                     const std::unordered_set<std::int64_t>& anew) {
  Result<Statement*> query = db.cached(
      "SELECT p.row, coalesce(p.failed_after, p.row) FROM task_after a "
      "JOIN tasks p ON p.row = a.predecessor WHERE a.successor = ?1 AND p.state >= 3");
  if (!query) return std::unexpected(std::move(query.error()));
  Statement& each = (*query)->bind(1, row);
  while (true) {
    Result<bool> there = each.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return std::nullopt;
    if (anew.contains(each.integer(0))) continue;
    const std::int64_t root = each.integer(1);
    each.reset();
    return root;
  }
}

Result<> blame(Database& db, std::int64_t row, std::int64_t root) {
  Result<std::string> reason = reason_after(db, root);
  if (!reason) return std::unexpected(std::move(reason.error()));
  Result<Statement*> update =
      db.cached("UPDATE tasks SET failed_after = ?2, error = ?3 WHERE row = ?1");
  if (!update) return std::unexpected(std::move(update.error()));
  return (*update)->bind(1, row).bind(2, root).bind(3, *reason).run();
}

/// Takes out of `anew` whatever comes after a task that stays failed or cancelled.
Result<> leave_out_the_hopeless(Database& db, std::unordered_set<std::int64_t>& anew) {
  Rows to_look_at(anew.begin(), anew.end());
  while (!to_look_at.empty()) {
    const std::int64_t row = to_look_at.back();
    to_look_at.pop_back();
    if (!anew.contains(row)) continue;
    Result<std::optional<std::int64_t>> root = still_in_the_way(db, row, anew);
    if (!root) return std::unexpected(std::move(root.error()));
    if (!*root) continue;
    anew.erase(row);
    if (Result<> blamed = blame(db, row, **root); !blamed) return blamed;
    Result<Rows> later =
        rows_of(db, "SELECT successor FROM task_after WHERE predecessor = ?1", row);
    if (!later) return std::unexpected(std::move(later.error()));
    to_look_at.insert(to_look_at.end(), later->begin(), later->end());
  }
  return {};
}

Result<> queue_again(Database& db, std::int64_t row, WallTime now) {
  Result<Statement*> update = db.cached(
      "UPDATE tasks SET state = 0, error = '', failed_after = NULL, finished_ms = NULL, "
      "attempts = 0, escalated = 0, local_passed = NULL, cloud_passed = NULL, lane = 0, "
      "ready_ms = max(due_ms, ?2) WHERE row = ?1");
  if (!update) return std::unexpected(std::move(update.error()));
  return (*update)->bind(1, row).bind(2, unix_ms(now)).run();
}

Result<> count_blockers(Database& db, std::int64_t row) {
  Result<Statement*> update = db.cached(
      "UPDATE tasks SET blockers = (SELECT count(*) FROM task_after a "
      "JOIN tasks p ON p.row = a.predecessor WHERE a.successor = ?1 AND p.state != 2) "
      "WHERE row = ?1");
  if (!update) return std::unexpected(std::move(update.error()));
  return (*update)->bind(1, row).run();
}

Result<std::size_t> retry_rows(Database& db, const Rows& rows, WallTime now) {
  std::unordered_set<std::int64_t> anew(rows.begin(), rows.end());
  if (Result<> left = leave_out_the_hopeless(db, anew); !left) {
    return std::unexpected(std::move(left.error()));
  }
  for (const std::int64_t row : anew) {
    if (Result<> queued = queue_again(db, row, now); !queued) {
      return std::unexpected(std::move(queued.error()));
    }
  }
  for (const std::int64_t row : anew) {  // once all their states are what they are to be
    if (Result<> counted = count_blockers(db, row); !counted) {
      return std::unexpected(std::move(counted.error()));
    }
  }
  return anew.size();
}

struct Found {
  std::int64_t row = 0;
  int state = 0;
  std::string after;  // the task it failed because of; empty: it failed itself
};

Result<Found> find(Database& db, const TaskId& id, const RunId& run) {
  Result<Statement*> query = db.cached(
      "SELECT t.row, t.state, r.id FROM tasks t LEFT JOIN tasks r ON r.row = t.failed_after "
      "WHERE t.id = ?1 AND (t.run = ?2 OR ?2 IS NULL) ORDER BY t.row DESC LIMIT 1");
  if (!query) return std::unexpected(std::move(query.error()));
  Statement& row = (*query)->bind(1, id.value);
  if (!run.empty()) row.bind(2, run.value);
  Result<bool> there = row.step();
  if (!there) return std::unexpected(std::move(there.error()));
  if (!*there) {
    return fail(ErrorCode::kNotFound, fmt::format("no task '{}'", id.value),
                "`minimill task list --state failed` lists those that failed");
  }
  Found found{.row = row.integer(0),
              .state = static_cast<int>(row.integer(1)),
              .after = std::string(row.text(2))};
  row.reset();
  return found;
}

}  // namespace

Result<> retry_task(Database& db, const TaskId& id, const RunId& run, WallTime now) {
  Result<Found> task = find(db, id, run);
  if (!task) return std::unexpected(std::move(task.error()));
  if (task->state != number(TaskState::kFailed)) {
    return fail(ErrorCode::kConflict,
                fmt::format("task '{}' is {}, it has not failed", id.value,
                            name(static_cast<TaskState>(task->state))),
                "only what has failed is tried anew");
  }
  if (!task->after.empty()) {
    return fail(
        ErrorCode::kConflict,
        fmt::format("task '{}' comes after '{}', which did not end well", id.value, task->after),
        fmt::format("retry that one: minimill task retry {}", task->after));
  }
  Result<Rows> later = rows_of(db, "SELECT row FROM tasks WHERE failed_after = ?1", task->row);
  if (!later) return std::unexpected(std::move(later.error()));
  later->push_back(task->row);
  Result<std::size_t> retried = retry_rows(db, *later, now);
  if (!retried) return std::unexpected(std::move(retried.error()));
  return {};
}

Result<std::size_t> retry_failed(Database& db, const RunId& run, const policy::Scope& scope,
                                 WallTime now) {
  Result<Statement*> query = db.cached(
      "SELECT row FROM tasks WHERE state = 3 AND (run = ?1 OR ?1 IS NULL) "
      "AND (app = ?2 OR ?2 IS NULL)");
  if (!query) return std::unexpected(std::move(query.error()));
  if (!run.empty()) (*query)->bind(1, run.value);
  (*query)->bind(2, scope.app());
  Result<Rows> rows = row_numbers(**query);
  if (!rows) return std::unexpected(std::move(rows.error()));
  return retry_rows(db, *rows, now);
}

}  // namespace minimill::tasks
