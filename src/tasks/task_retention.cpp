#include "tasks/task_retention.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "tasks/task_end.h"

namespace minimill::tasks {
namespace {

using sqlite::Database;
using sqlite::Statement;

// What may go, of each kind: SQL behind FROM, with {} for the time's bound. States: queued and
// running are 0 and 1 of a task, pending is 0 of an effect, sending and running 0 and 1 of a batch.
constexpr std::string_view kTasks =
    "tasks t WHERE +t.state >= 2 AND t.finished_ms < {} "  // by the index of ends
    "AND NOT EXISTS (SELECT 1 FROM task_after a JOIN tasks s ON s.row = a.successor "
    "WHERE a.predecessor = t.row AND s.state <= 1) "
    "AND NOT EXISTS (SELECT 1 FROM tasks f WHERE f.failed_after = t.row) "
    "AND (t.run, t.id) NOT IN (SELECT run, task FROM outbox WHERE state = 0) "
    "AND NOT EXISTS (SELECT 1 FROM batch_tasks x JOIN batches b ON b.id = x.batch "
    "WHERE x.run = t.run AND x.task = t.id AND b.state <= 1)";
constexpr std::string_view kRuns =
    "runs r WHERE r.created_ms < {} AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.run = r.id)";
constexpr std::string_view kBatches = "batches b WHERE b.state >= 2 AND b.ended_ms < {}";
constexpr std::string_view kEffects = "outbox o WHERE o.state != 0 AND o.next_ms < {}";

struct Kind {
  std::string_view rows;  // one of the above
  std::string_view time;
  std::string_view row;
  std::vector<std::string_view> removals;  // ?1 is the row
};

const Kind& tasks_kind() {
  static const Kind kind{.rows = kTasks,
                         .time = "t.finished_ms",
                         .row = "t.row",
                         .removals = {"DELETE FROM task_failures WHERE task = ?1",
                                      "DELETE FROM task_after WHERE predecessor = ?1",
                                      "DELETE FROM task_after WHERE successor = ?1",
                                      "DELETE FROM tasks WHERE row = ?1"}};
  return kind;
}

const Kind& runs_kind() {
  static const Kind kind{.rows = kRuns,
                         .time = "r.created_ms",
                         .row = "r.rowid",
                         .removals = {"DELETE FROM runs WHERE rowid = ?1"}};
  return kind;
}

const Kind& batches_kind() {
  static const Kind kind{
      .rows = kBatches,
      .time = "b.ended_ms",
      .row = "b.row",
      .removals = {"DELETE FROM batch_tasks WHERE batch = (SELECT id FROM batches WHERE row = ?1)",
                   "DELETE FROM batches WHERE row = ?1"}};
  return kind;
}

const Kind& effects_kind() {
  static const Kind kind{.rows = kEffects,
                         .time = "o.next_ms",
                         .row = "o.row",
                         .removals = {"DELETE FROM outbox WHERE row = ?1"}};
  return kind;
}

/// "SELECT what FROM …": prepared each time, as a text that is made is none to be cached by.
Result<Statement> select(Database& db, const Kind& kind, std::string_view what,
                         std::string_view rest, WallTime before) {
  const std::string sql =
      fmt::format("SELECT {} FROM {}{}", what, fmt::format(fmt::runtime(kind.rows), "?1"), rest);
  Result<Statement> query = db.prepare(sql);
  if (query) query->bind(1, unix_ms(before));
  return query;
}

template <const Kind& (*kKind)()>
Result<std::int64_t> count(Database& db, WallTime before) {
  Result<Statement> query = select(db, kKind(), "count(*)", "", before);
  if (!query) return std::unexpected(std::move(query.error()));
  if (Result<bool> there = query->step(); !there) return std::unexpected(there.error());
  return query->integer(0);
}

template <const Kind& (*kKind)()>
Result<std::optional<WallTime>> oldest(Database& db) {
  Result<Statement> query =
      select(db, kKind(), kKind().time, fmt::format(" ORDER BY {} LIMIT 1", kKind().time),
             WallTime::max());
  if (!query) return std::unexpected(std::move(query.error()));
  Result<bool> there = query->step();
  if (!there) return std::unexpected(std::move(there.error()));
  return *there ? std::optional(from_unix_ms(query->integer(0))) : std::nullopt;
}

Result<> remove(Database& db, const Kind& kind, std::int64_t row) {
  for (const std::string_view sql : kind.removals) {
    Result<Statement*> removal = db.cached(sql);
    if (!removal) return std::unexpected(std::move(removal.error()));
    if (Result<> done = (*removal)->bind(1, row).run(); !done) return done;
  }
  return {};
}

template <const Kind& (*kKind)()>
Result<std::int64_t> prune(Database& db, WallTime before, std::int64_t limit) {
  Result<Statement> query = select(
      db, kKind(), kKind().row, fmt::format(" ORDER BY {} LIMIT {}", kKind().time, limit), before);
  if (!query) return std::unexpected(std::move(query.error()));
  Result<std::vector<std::int64_t>> rows = row_numbers(*query);
  if (!rows) return std::unexpected(std::move(rows.error()));
  for (const std::int64_t row : *rows) {
    if (Result<> removed = remove(db, kKind(), row); !removed) {
      return std::unexpected(std::move(removed.error()));
    }
  }
  return static_cast<std::int64_t>(rows->size());
}

template <const Kind& (*kKind)()>
ledger::Prunable prunable(std::string_view name, std::vector<std::string_view> tables) {
  return {.name = name,
          .tables = std::move(tables),
          .count = count<kKind>,
          .oldest = oldest<kKind>,
          .prune = prune<kKind>};
}

}  // namespace

std::vector<ledger::Prunable> prunable_tasks() {
  return {prunable<effects_kind>("effects", {"outbox"}),
          prunable<batches_kind>("batches", {"batches", "batch_tasks"}),
          prunable<tasks_kind>("tasks", {"tasks", "task_after", "task_failures"}),
          prunable<runs_kind>("runs", {"runs"})};
}

}  // namespace minimill::tasks
