#pragma once

// A program that runs under `engine-guard` (see guard.h), in a process group of its own, so that a
// Ctrl-C at the terminal reaches the daemon alone.
//
//   auto process = GuardedProcess::start(io, guard, {"llama-server", "-m", …}, on_change);
//   … on_change() is called when pid() becomes known and when running() becomes false
//   (*process)->ask_to_end();
//
// Its output is read all the time and the last of it kept, for error messages. Destroying the
// object kills the whole group and reaps the guard; nothing is left behind. Event-loop thread only.

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace minimill::engine {

namespace asio = boost::asio;

class GuardedProcess {
 public:
  static constexpr std::size_t kKeptOutputBytes = 8 << 10;

  static Result<std::unique_ptr<GuardedProcess>> start(asio::io_context& io,
                                                       const std::filesystem::path& guard,
                                                       const std::vector<std::string>& command,
                                                       std::function<void()> on_change);
  ~GuardedProcess();
  GuardedProcess(const GuardedProcess&) = delete;
  GuardedProcess& operator=(const GuardedProcess&) = delete;

  /// Of the program; 0 until the guard has said it, and after the end.
  int pid() const;
  bool running() const;
  /// As a shell shows it, 128 + N for signal N; nothing while it runs.
  std::optional<int> exit_status() const;
  /// The last kKeptOutputBytes of its output and its errors.
  const std::string& output() const;

  /// SIGTERM, and SIGKILL after the guard's grace.
  void ask_to_end();
  /// SIGKILL for the whole group, now.
  void kill();

 private:
  struct State;
  explicit GuardedProcess(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace minimill::engine
