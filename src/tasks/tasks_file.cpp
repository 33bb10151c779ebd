#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <unordered_map>
#include <utility>

#include "tasks/task.h"

namespace minimill::tasks {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

/// std::getline without its appetite: a line longer than any task may be stops the reading.
Result<bool> read_line(std::istream& in, std::string& line, std::string_view where) {
  line.clear();
  for (int c = in.get(); c != std::char_traits<char>::eof(); c = in.get()) {
    if (c == '\n') return true;
    if (line.size() > kMaxTaskBytes) {
      return fail(ErrorCode::kTooLarge,
                  fmt::format("{}: a line of over {} bytes", where, kMaxTaskBytes),
                  "a tasks file has one JSON object a line");
    }
    line.push_back(static_cast<char>(c));
  }
  if (in.bad()) return fail(ErrorCode::kIo, fmt::format("{}: cannot be read", where));
  return !line.empty();
}

}  // namespace

Result<std::vector<TaskSpec>> read_tasks_file(const std::string& path) {
  std::error_code ec;
  if (std::filesystem::is_directory(path, ec)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} is a folder", path),
                "give a file with one task a line (docs/tasks.md)");
  }
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    return fail(ErrorCode::kNotFound, fmt::format("cannot open {}", path),
                "give a file with one task a line (docs/tasks.md)");
  }
  const std::string name = std::filesystem::path(path).filename().string();
  std::vector<TaskSpec> tasks;
  std::unordered_map<std::string, std::size_t> line_of;
  std::string line;
  for (std::size_t number = 1;; ++number) {
    const std::string where = fmt::format("{}:{}", name, number);
    Result<bool> there = read_line(in, line, where);
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) break;
    if (number == 1 && line.starts_with(kByteOrderMark)) line.erase(0, kByteOrderMark.size());
    if (is_blank(line)) continue;
    Result<TaskSpec> task = parse_task(line, where);
    if (!task) return std::unexpected(std::move(task.error()));
    const auto [first, fresh] = line_of.emplace(task->id.value, number);
    if (!fresh) {
      return fail(
          ErrorCode::kConflict,
          fmt::format("{}: the id '{}' is taken by line {}", where, task->id.value, first->second),
          "give every task an id of its own");
    }
    tasks.push_back(std::move(*task));
    if (tasks.size() > kMaxTasksPerRun) {
      return fail(ErrorCode::kTooLarge,
                  fmt::format("{}: more than {} tasks", where, kMaxTasksPerRun),
                  "split the file, or use --limit");
    }
  }
  if (tasks.empty()) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("{} has no tasks", path),
                "put one JSON object a line into it (docs/tasks.md)");
  }
  return tasks;
}

}  // namespace minimill::tasks
