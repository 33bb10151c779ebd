#include "tasks/task_times.h"

#include <utility>

#include "base/even_clock.h"

namespace minimill::tasks {
namespace {

using sqlite::Database;
using sqlite::Statement;

/// The latest thing that is known to have happened; 0 where nothing has.
Result<std::int64_t> latest_ms(Database& db) {
  Result<Statement*> query = db.cached(
      "SELECT max(coalesce((SELECT max(finished_ms) FROM tasks), 0), "
      "coalesce((SELECT max(started_ms) FROM tasks WHERE state <= 1), 0), "
      "coalesce((SELECT max(created_ms) FROM runs), 0), "
      "coalesce((SELECT created_ms FROM outbox ORDER BY row DESC LIMIT 1), 0))");
  if (!query) return std::unexpected(std::move(query.error()));
  Result<bool> there = (*query)->step();
  if (!there) return std::unexpected(std::move(there.error()));
  const std::int64_t latest = (*query)->integer(0);
  (*query)->reset();
  return latest;
}

Result<> pull_in(Database& db, WallTime latest_retry) {
  Result<Statement*> tasks = db.cached(
      "UPDATE tasks SET ready_ms = max(?1, due_ms) WHERE state = 0 AND attempts > 0 "
      "AND ready_ms > max(?1, due_ms)");
  if (!tasks) return std::unexpected(std::move(tasks.error()));
  return (*tasks)->bind(1, unix_ms(latest_retry)).run();
}

}  // namespace

Result<> shift_times(Database& db, Millis by) {
  for (const char* sql :
       {"UPDATE tasks SET due_ms = due_ms + ?1, ready_ms = ready_ms + ?1, "
        "started_ms = started_ms + ?1, lease_until_ms = lease_until_ms + ?1 WHERE state <= 1",
        "UPDATE outbox SET next_ms = next_ms + ?1, created_ms = created_ms + ?1 WHERE state = 0",
        "UPDATE submission_keys SET created_ms = created_ms + ?1"}) {
    Result<Statement*> update = db.cached(sql);
    if (!update) return std::unexpected(std::move(update.error()));
    if (Result<> done = (*update)->bind(1, std::int64_t{by.count()}).run(); !done) return done;
  }
  return {};
}

Result<> stop_long_waits(Database& db, WallTime now, Millis longest_backoff) {
  Result<Statement*> tasks = db.cached(
      "UPDATE tasks SET ready_ms = max(?1, due_ms) WHERE state = 0 AND ready_ms > due_ms "
      "AND ready_ms > ?2");
  if (!tasks) return std::unexpected(std::move(tasks.error()));
  return (*tasks)->bind(1, unix_ms(now)).bind(2, unix_ms(now + longest_backoff)).run();
}

Result<> mend_times(Database& db, WallTime now, Millis longest_backoff) {
  Result<std::int64_t> latest = latest_ms(db);
  if (!latest) return std::unexpected(std::move(latest.error()));
  const Millis back{unix_ms(now) - *latest};
  if (back < -EvenClock::kJump) {
    if (Result<> shifted = shift_times(db, back); !shifted) return shifted;
  }
  return pull_in(db, now + longest_backoff);
}

}  // namespace minimill::tasks
