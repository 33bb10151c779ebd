#include "tasks/task_row.h"

#include <optional>
#include <utility>

namespace minimill::tasks {
namespace {

std::optional<WallTime> time_of(std::optional<std::int64_t> ms) {
  if (!ms) return std::nullopt;
  return from_unix_ms(*ms);
}

std::optional<bool> flag_of(std::optional<std::int64_t> value) {
  if (!value) return std::nullopt;
  return *value != 0;
}

}  // namespace

Task read_task(const sqlite::Statement& row) {
  Task task;
  if (Result<TaskSpec> spec = decode_stored_spec(row.text(0))) {
    task.spec = std::move(*spec);
  } else {
    task.unreadable = "what was asked for cannot be read: " + spec.error().to_string();
    task.spec.privacy = policy::Privacy::kLocalOnly;
    task.spec.notify = row.text(25);
  }
  task.spec.id = {std::string(row.text(24))};
  task.run = {std::string(row.text(1))};
  const std::int64_t state = row.integer(2);
  if (state >= number(TaskState::kQueued) && state <= number(TaskState::kCancelled)) {
    task.state = static_cast<TaskState>(state);
  } else {
    task.state = TaskState::kFailed;
    task.unreadable = "its state cannot be read";
  }
  task.due = from_unix_ms(row.integer(3));
  if (row.integer(4) != row.integer(3)) task.not_before = from_unix_ms(row.integer(4));
  task.started = time_of(row.optional_integer(5));
  task.finished = time_of(row.optional_integer(6));
  task.attempts = static_cast<int>(row.integer(7));
  task.request = {std::string(row.text(8))};
  task.lane =
      row.integer(9) == chat::index(chat::Lane::kLocal) ? chat::Lane::kLocal : chat::Lane::kCloud;
  task.batched = row.integer(9) == kBatchLane;
  task.escalated = row.integer(10) != 0;
  task.local_passed = flag_of(row.optional_integer(11));
  task.cloud_passed = flag_of(row.optional_integer(12));
  task.local_s = row.real(13);
  task.cloud_s = row.real(14);
  task.prompt_tokens = row.integer(15);
  task.completion_tokens = row.integer(16);
  task.cost_usd = row.real(17);
  task.all_cloud_cost_usd = row.real(18);
  task.operation = row.text(19);
  task.model = row.text(20);
  task.answer = row.text(21);
  task.error = row.text(22);
  task.blocked_by = static_cast<int>(row.integer(23));
  task.app = row.text(26);
  return task;
}

Result<std::vector<Task>> read_tasks(sqlite::Statement& rows, std::size_t max_bytes) {
  std::vector<Task> tasks;
  std::size_t bytes = 0;
  while (true) {
    Result<bool> there = rows.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return tasks;
    tasks.push_back(read_task(rows));
    bytes += tasks.back().spec.notes.size() + tasks.back().answer.size();
    if (bytes > max_bytes) {
      rows.reset();
      return tasks;
    }
  }
}

}  // namespace minimill::tasks
