#include "tasks/task_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace minimill::tasks {
namespace {

constexpr std::size_t kNamedInCycle = 16;  // beyond it a message helps nobody

enum class Mark : char { kNew, kOpen, kClosed };

struct Visit {
  std::size_t task;
  std::size_t next = 0;  // of its `after`
};

/// The open visits from `again` on are the cycle.
std::unexpected<Error> cycle(const std::vector<const TaskSpec*>& tasks,
                             const std::vector<Visit>& open, std::size_t again) {
  auto from = std::ranges::find(open, again, &Visit::task);
  const auto length = static_cast<std::size_t>(open.end() - from);
  std::string path;
  for (std::size_t i = 0; i < std::min(length, kNamedInCycle); ++i, ++from) {
    path += tasks[from->task]->id.value + " → ";
  }
  if (length > kNamedInCycle) path += fmt::format("… {} more … → ", length - kNamedInCycle);
  return fail_field(
      "after",
      fmt::format("tasks come after each other in a circle: {}{}", path, tasks[again]->id.value),
      "leave one of these out of 'after'");
}

}  // namespace

Result<std::vector<std::size_t>> dependency_order(const std::vector<const TaskSpec*>& tasks) {
  std::unordered_map<std::string_view, std::size_t> index;
  index.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) index.emplace(tasks[i]->id.value, i);

  std::vector<std::size_t> order;
  order.reserve(tasks.size());
  std::vector<Mark> marks(tasks.size(), Mark::kNew);
  std::vector<Visit> open;
  for (std::size_t first = 0; first < tasks.size(); ++first) {
    if (marks[first] != Mark::kNew) continue;
    marks[first] = Mark::kOpen;
    open.push_back({.task = first});
    while (!open.empty()) {
      Visit& visit = open.back();
      const std::vector<TaskId>& after = tasks[visit.task]->after;
      if (visit.next == after.size()) {
        marks[visit.task] = Mark::kClosed;
        order.push_back(visit.task);
        open.pop_back();
        continue;
      }
      const auto found = index.find(after[visit.next++].value);
      if (found == index.end()) continue;
      Mark& mark = marks[found->second];
      if (mark == Mark::kOpen) return cycle(tasks, open, found->second);
      if (mark == Mark::kClosed) continue;
      mark = Mark::kOpen;
      open.push_back({.task = found->second});
    }
  }
  return order;
}

}  // namespace minimill::tasks
