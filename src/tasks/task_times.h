#pragma once

// Times of what has not ended, when the clock they were counted by has jumped. Runs on the writer's
// thread.

#include "base/clock.h"
#include "base/error.h"
#include "sqlite/database.h"

namespace minimill::tasks {

/// Moves every time of tasks that wait or run, of effects that are pending and of submissions' keys
/// by `by`, so that what remains of every delay stays as it was.
Result<> shift_times(sqlite::Database& db, Millis by);

/// At the start of a daemon: where something stored happened later than `now`, the clock was put
/// back meanwhile, and what waits is moved back with it. A retry further ahead than
/// `longest_backoff` is pulled in: nobody waits longer for another attempt.
Result<> mend_times(sqlite::Database& db, WallTime now, Millis longest_backoff);

/// Retries further ahead than `longest_backoff` (a budget's next day, say) may go now.
Result<> stop_long_waits(sqlite::Database& db, WallTime now, Millis longest_backoff);

}  // namespace minimill::tasks
