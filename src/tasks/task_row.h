#pragma once

// A row of the table of tasks as a Task: shared by the store and by what runs inside its
// transactions.

#include <string_view>
#include <vector>

#include "sqlite/database.h"
#include "tasks/task.h"

namespace minimill::tasks {

/// What read_task() reads, in its order.
inline constexpr std::string_view kTaskColumns =
    "spec, run, state, due_ms, ready_ms, started_ms, finished_ms, attempts, request, lane, "
    "escalated, local_passed, cloud_passed, local_s, cloud_s, prompt_tokens, completion_tokens, "
    "cost_usd, all_cloud_cost_usd, operation, model, answer, error, blockers, id, notify, "
    "app";

/// `row` has been stepped to a row. One whose spec cannot be read is a task all the same, that says
/// so (Task::unreadable): it stops nobody else.
Task read_task(const sqlite::Statement& row);
/// Steps through all rows.
/// `max_bytes` of texts end it early, after at least one task.
Result<std::vector<Task>> read_tasks(
    sqlite::Statement& rows, std::size_t max_bytes = std::numeric_limits<std::size_t>::max());

/// The column `lane`: a chat::Lane, or that of tasks which go through a batch.
inline constexpr int kBatchLane = chat::kLaneCount;
inline int lane_number(const Task& task) {
  return task.batched ? kBatchLane : chat::index(task.lane);
}

/// A state as it is stored.
constexpr int number(TaskState state) { return static_cast<int>(state); }

}  // namespace minimill::tasks
