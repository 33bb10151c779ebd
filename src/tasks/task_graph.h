#pragma once

// Which task comes after which, of tasks that are handed in together. Pure; linear in tasks and
// dependencies (depth-first search with three colours, Cormen et al., Introduction to Algorithms,
// section 20.3), without recursion: ten thousand tasks may be one chain.

#include <vector>

#include "base/error.h"
#include "tasks/task.h"

namespace minimill::tasks {

/// Indices into `tasks`, every task behind those it comes after, otherwise in the order given.
/// Ids that are not among `tasks` are passed over. A cycle is kInvalidArgument with the field
/// "after", and is named whole: "a → b → a", each coming after the next.
Result<std::vector<std::size_t>> dependency_order(const std::vector<const TaskSpec*>& tasks);

}  // namespace minimill::tasks
