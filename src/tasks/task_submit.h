#pragma once

// Tasks and what they come after, put into the tables: all or none. Runs on the writer's thread.

#include <vector>

#include "sqlite/database.h"
#include "tasks/task_end.h"
#include "tasks/task_store.h"

namespace minimill::tasks {

/// A (run, id) that is there with the same content is left as it is, with other content kConflict.
/// What a task comes after must be in the run, or among `tasks`: kInvalidArgument names what is
/// not, and cycles. A run of another app is kForbidden. What comes after a task that has failed
/// fails at once. The run is created with its first submission; `run.created` is now.
Result<> submit_tasks(sqlite::Database& db, const RunInfo& run,
                      const std::vector<Submission>& tasks, Consequences& then);

/// Unfinished tasks of before rows said their privacy get this.
Result<> label_tasks(sqlite::Database& db, policy::Privacy privacy);

}  // namespace minimill::tasks
