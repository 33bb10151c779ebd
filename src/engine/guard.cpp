#include "engine/guard.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "engine/parent_death.h"

namespace minimill::engine {
namespace {

constexpr int kUsageStatus = 64;   // EX_USAGE
constexpr int kSystemStatus = 71;  // EX_OSERR
constexpr int kNotStartedStatus = 127;
constexpr int kSignalStatus = 128;

using Instant = std::chrono::steady_clock::time_point;

/// Signals become bytes in a pipe, so that one poll() waits for all there is to wait for.
int signal_pipe[2] = {-1, -1};

void on_signal(int number) {
  const int saved = errno;
  const auto byte = static_cast<char>(number);
  // A full pipe already says that there is something to look at.
  [[maybe_unused]] const ssize_t written = write(signal_pipe[1], &byte, 1);
  errno = saved;
}

int complain(const char* what) {
  std::fprintf(stderr, "error: engine-guard: %s: %s\n", what, std::strerror(errno));
  return kSystemStatus;
}

/// What the daemon had open (clients, its listening sockets, the ledger) must not stay open in a
/// llama-server. Not every library marks its descriptors close-on-exec, so none is trusted to.
/// /dev/fd lists them on Linux and macOS alike; counting up to the limit could take a second.
void close_inherited() {
  DIR* folder = opendir("/dev/fd");
  if (folder == nullptr) return;
  std::vector<int> open;
  while (const dirent* entry = readdir(folder)) {
    const int descriptor = std::atoi(entry->d_name);  // "." and ".." become 0
    if (descriptor > STDERR_FILENO && descriptor != dirfd(folder)) open.push_back(descriptor);
  }
  closedir(folder);
  for (const int descriptor : open) close(descriptor);
}

bool set_flags(int descriptor, bool nonblocking) {
  if (fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0) return false;
  return !nonblocking || fcntl(descriptor, F_SETFL, O_NONBLOCK) == 0;
}

bool catch_signals() {
  if (pipe(signal_pipe) != 0) return false;
  if (!set_flags(signal_pipe[0], true) || !set_flags(signal_pipe[1], true)) return false;
  struct sigaction action = {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) {
    if (sigaction(number, &action, nullptr) != 0) return false;
  }
  action.sa_handler = SIG_IGN;  // the daemon may be gone while we write to it
  return sigaction(SIGPIPE, &action, nullptr) == 0;
}

/// In the child: nothing here may allocate or lock. Returns only if exec failed.
[[noreturn]] void become(char** program, pid_t guard, int no_input) {
  if (!die_with_parent(guard)) _exit(kNotStartedStatus);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGPIPE}) {
    std::signal(number, SIG_DFL);
  }
  // Not our stdin: a copy of it in the child would keep that socket open after we are gone.
  dup2(no_input, STDIN_FILENO);
  execvp(program[0], program);
  const char* const reason = std::strerror(errno);
  constexpr char kStart[] = "error: cannot run ";
  [[maybe_unused]] ssize_t written = write(STDERR_FILENO, kStart, sizeof kStart - 1);
  written = write(STDERR_FILENO, program[0], std::strlen(program[0]));
  written = write(STDERR_FILENO, ": ", 2);
  written = write(STDERR_FILENO, reason, std::strlen(reason));
  written = write(STDERR_FILENO, "\n", 1);
  _exit(kNotStartedStatus);
}

void report_pid(pid_t child) {
  int type = 0;
  socklen_t size = sizeof type;
  if (getsockopt(STDIN_FILENO, SOL_SOCKET, SO_TYPE, &type, &size) != 0) return;
  std::array<char, 32> line;
  const int length = std::snprintf(line.data(), line.size(), "pid %ld\n", static_cast<long>(child));
  // Fails only where the daemon is gone, which the loop below notices.
  [[maybe_unused]] const ssize_t sent =
      write(STDIN_FILENO, line.data(), static_cast<std::size_t>(length));
}

/// True once the daemon has closed its end. What it says is of no interest.
bool daemon_gone() {
  std::array<char, 256> ignored;
  const ssize_t got = read(STDIN_FILENO, ignored.data(), ignored.size());
  return got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN);
}

/// True if one of the signals caught asks us to end.
bool told_to_end() {
  bool told = false;
  std::array<char, 64> numbers;
  ssize_t got = 0;
  while ((got = read(signal_pipe[0], numbers.data(), numbers.size())) > 0) {
    told = told || std::any_of(numbers.begin(), numbers.begin() + got,
                               [](char number) { return number != SIGCHLD; });
  }
  return told;
}

int exit_status(int wait_status) {
  if (WIFSIGNALED(wait_status)) return kSignalStatus + WTERMSIG(wait_status);
  return WEXITSTATUS(wait_status);
}

int watch(pid_t child) {
  bool ending = false;
  bool killed = false;
  Instant kill_at{};
  while (true) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) return exit_status(status);

    int timeout_ms = -1;
    if (ending && !killed) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(kill_at - std::chrono::steady_clock::now());
      timeout_ms = static_cast<int>(std::max<std::chrono::milliseconds::rep>(left.count(), 0));
      if (timeout_ms == 0) {
        kill(child, SIGKILL);
        killed = true;
        timeout_ms = -1;
      }
    }

    // poll() reads over a descriptor of -1: after end-of-file stdin would be ready for ever.
    std::array<pollfd, 2> waiting = {pollfd{signal_pipe[0], POLLIN, 0},
                                     pollfd{ending ? -1 : STDIN_FILENO, POLLIN, 0}};
    if (poll(waiting.data(), waiting.size(), timeout_ms) < 0) {
      if (errno == EINTR) continue;
      kill(child, SIGKILL);  // unguarded is worse than dead
      return complain("poll");
    }
    bool end = waiting[0].revents != 0 && told_to_end();
    if (waiting[1].revents != 0) end = daemon_gone() || end;
    if (end && !ending) {
      ending = true;
      kill_at = std::chrono::steady_clock::now() + kGuardGrace;
      kill(child, SIGTERM);
    }
  }
}

}  // namespace

int run_guard(int argc, char** argv) {
  int first = 1;
  if (first < argc && std::strcmp(argv[first], "--") == 0) ++first;
  if (first >= argc) {
    std::fprintf(stderr, "error: usage: engine-guard -- PROGRAM [ARGUMENT...]\n");
    return kUsageStatus;
  }
  close_inherited();
  if (!catch_signals()) return complain("signals");
  const int no_input = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (no_input < 0) return complain("/dev/null");
  if (!set_flags(STDIN_FILENO, false)) return complain("stdin");

  const pid_t guard = getpid();
  const pid_t child = fork();
  if (child < 0) return complain("fork");
  if (child == 0) become(argv + first, guard, no_input);
  close(no_input);
  report_pid(child);
  return watch(child);
}

}  // namespace minimill::engine
