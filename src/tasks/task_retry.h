#pragma once

// Failed tasks, tried anew: with all their attempts, and with those that failed only because they
// come after them. Runs on the writer's thread.

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "policy/principal.h"
#include "sqlite/database.h"
#include "tasks/task.h"

namespace minimill::tasks {

/// kNotFound where there is none. kConflict where it has not failed, or failed because of another,
/// which is named. `run` empty: the newest task with this id.
Result<> retry_task(sqlite::Database& db, const TaskId& id, const RunId& run, WallTime now);

/// All that failed, of one run or (`run` empty) of all in the scope; how many are queued again.
Result<std::size_t> retry_failed(sqlite::Database& db, const RunId& run, const policy::Scope& scope,
                                 WallTime now);

}  // namespace minimill::tasks
