#pragma once

// What may go of tasks (ledger/retention.h): tasks that have ended, runs of which nothing is left,
// batches that are over, effects that were given up. Never a task that is still to be done, nor one
// that such a task comes after, nor one whose effect outside is still to happen.

#include <vector>

#include "ledger/retention.h"

namespace minimill::tasks {

/// In the order in which they are to be pruned.
std::vector<ledger::Prunable> prunable_tasks();

}  // namespace minimill::tasks
