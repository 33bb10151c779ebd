#pragma once

// When the tasks of a file arrive.

#include <vector>

#include "tasks/task.h"

namespace minimill::replay {

/// Seconds after the first day's start, of every task: each day begins a minute after the last
/// arrival of the one before.
std::vector<double> arrival_seconds(const std::vector<tasks::TaskSpec>& tasks);

}  // namespace minimill::replay
