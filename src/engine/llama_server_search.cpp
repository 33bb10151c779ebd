#include "engine/llama_server_search.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

extern "C" char** environ;  // POSIX declares it nowhere

namespace minimill::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kVersionTimeout{5'000};
constexpr std::size_t kMaxVersionBytes = 16 << 10;
constexpr std::size_t kMaxPathBytes = 4096;
constexpr char kHowToGetOne[] = "run make, or set [local] llama_server";

bool is_program(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error) && access(path.c_str(), X_OK) == 0;
}

/// All that `output` gives until its end, the deadline, or kMaxVersionBytes.
std::string read_until(int output, std::chrono::steady_clock::time_point deadline) {
  std::string text;
  while (text.size() < kMaxVersionBytes) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{output, POLLIN, 0};
    if (left.count() <= 0 || poll(&waiting, 1, static_cast<int>(left.count())) <= 0) break;
    std::array<char, 4096> buffer;
    const ssize_t got = read(output, buffer.data(), buffer.size());
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return text;
}

/// What `program --version` prints; killed where it takes too long. Blocks: for the start only.
std::string version_output(const fs::path& program) {
  int ends[2];
  if (pipe(ends) != 0) return {};
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  fcntl(ends[1], F_SETFD, FD_CLOEXEC);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  std::string name = program.string();
  std::string option = "--version";
  std::array<char*, 3> arguments = {name.data(), option.data(), nullptr};
  pid_t pid = 0;
  const int failed = posix_spawn(&pid, name.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string text;
  if (failed == 0) {
    text = read_until(ends[0], std::chrono::steady_clock::now() + kVersionTimeout);
    kill(pid, SIGKILL);  // it has ended, or has had its time
    waitpid(pid, nullptr, 0);
  }
  close(ends[0]);
  return text;
}

std::optional<fs::path> on_path(std::string_view search_path) {
  while (!search_path.empty()) {
    const std::size_t end = std::min(search_path.find(':'), search_path.size());
    const fs::path folder(search_path.substr(0, end));
    search_path.remove_prefix(std::min(end + 1, search_path.size()));
    if (!folder.is_absolute()) continue;  // a program of the current folder is a trap
    fs::path program = folder / "llama-server";
    if (is_program(program) && is_new_enough(version_output(program))) return program;
  }
  return std::nullopt;
}

/// The one `make` built last, else the newest there is.
std::optional<fs::path> in_cache(const fs::path& cache) {
  std::error_code error;
  std::ifstream current(cache / "current");
  std::string line;
  if (current && std::getline(current, line) && line.size() < kMaxPathBytes && is_program(line)) {
    return line;
  }
  std::optional<std::pair<fs::file_time_type, fs::path>> newest;
  for (fs::directory_iterator entry(cache, error), end; !error && entry != end;
       entry.increment(error)) {
    const fs::path program = entry->path() / "bin" / "llama-server";
    if (!is_program(program)) continue;
    std::error_code gone;
    const fs::file_time_type time = fs::last_write_time(program, gone);
    if (!gone && (!newest || time > newest->first)) newest = std::pair(time, program);
  }
  if (!newest) return std::nullopt;
  return newest->second;
}

Result<fs::path> must_be_program(const fs::path& path, std::string_view said_by) {
  if (is_program(path)) return path;
  return fail(ErrorCode::kNotFound,
              fmt::format("{} ({}) is no program that can be run", path.string(), said_by),
              "give the path of a llama-server, or leave it out and run make");
}

}  // namespace

bool is_new_enough(std::string_view version_output) {
  constexpr std::string_view kLabel = "version: ";
  const std::size_t at = version_output.find(kLabel);
  if (at == version_output.npos) return false;
  std::string_view text = version_output.substr(at + kLabel.size());
  if (text.starts_with('v')) text.remove_prefix(1);
  int major = 0;
  int minor = 0;
  const char* const end = text.data() + text.size();
  // NOLINTNEXTLINE(bugprone-suspicious-stringview-data-usage): the end is given
  const auto [dot, bad_major] = std::from_chars(text.data(), end, major);
  if (bad_major != std::errc() || dot == end || *dot != '.') return false;
  const auto [rest, bad_minor] = std::from_chars(dot + 1, end, minor);
  if (bad_minor != std::errc()) return false;
  return std::pair(major, minor) >= std::pair(0, 5);
}

Result<fs::path> find_llama_server(const LlamaServerPlaces& places) {
  if (!places.asked_for.empty()) {
    return must_be_program(places.asked_for, "MINIMILL_LLAMA_SERVER");
  }
  if (!places.configured.empty()) {
    return must_be_program(places.configured, "[local] llama_server");
  }
  if (std::optional<fs::path> found = on_path(places.search_path)) return *found;
  if (std::optional<fs::path> found = in_cache(places.cache)) return *found;
  return fail(ErrorCode::kNotFound,
              fmt::format("no llama-server of v0.5 or newer on PATH, and none built under {}",
                          places.cache.string()),
              kHowToGetOne);
}

LlamaServerPlaces llama_server_places(
    const std::function<std::string_view(std::string_view)>& variable, fs::path configured) {
  LlamaServerPlaces places;
  places.asked_for = variable("MINIMILL_LLAMA_SERVER");
  places.configured = std::move(configured);
  places.search_path = variable("PATH");
  const fs::path cache = variable("XDG_CACHE_HOME");
  places.cache = (cache.is_absolute() ? cache : fs::path(variable("HOME")) / ".cache") /
                 "minimill" / "llama.cpp";
  return places;
}

}  // namespace minimill::engine
