#pragma once

// What the end of a task means for others, in the transaction that ends it: those that come after
// it are unblocked, or fail with its reason, and whoever is to be told gets a row in the outbox.
// Runs on the writer's thread.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sqlite/database.h"
#include "tasks/task.h"

namespace minimill::tasks {

/// What happened inside a transaction that others wait for.
struct Consequences {
  bool unblocked = false;  // a task has become ready
  bool effects = false;    // the outbox has something new
  WallTime at{};
};

/// `row` has just been stored as done, failed or cancelled, at `now`.
Result<> task_ended(sqlite::Database& db, std::int64_t row, WallTime now, Consequences& then);

/// Every queued task that comes after `root`, directly or not, fails with its reason. `root` has
/// failed or was cancelled.
Result<> fail_those_after(sqlite::Database& db, std::int64_t root, WallTime now,
                          Consequences& then);

/// "comes after 'x', which failed: …"; of the stored task `root`.
Result<std::string> reason_after(sqlite::Database& db, std::int64_t root);

/// Rows of the first column of a query that is bound.
Result<std::vector<std::int64_t>> row_numbers(sqlite::Statement& query);

}  // namespace minimill::tasks
