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
#include <string>
#include <vector>

#include "base/error.h"
#include "engine/engine_host.h"

namespace minimill::engine {

class GuardedProcess final : public EngineProcess {
 public:
  static constexpr std::size_t kKeptOutputBytes = 8 << 10;

  static Result<std::unique_ptr<GuardedProcess>> start(asio::io_context& io,
                                                       const std::filesystem::path& guard,
                                                       const std::vector<std::string>& command,
                                                       std::function<void()> on_change);
  ~GuardedProcess() override;
  GuardedProcess(const GuardedProcess&) = delete;
  GuardedProcess& operator=(const GuardedProcess&) = delete;

  int pid() const override;
  bool running() const override;
  std::optional<int> exit_status() const override;
  const std::string& output() const override;  // kKeptOutputBytes
  void ask_to_end() override;                  // SIGKILL after the guard's grace
  void kill() override;                        // the whole group

 private:
  struct State;
  explicit GuardedProcess(std::shared_ptr<State> state);
  std::shared_ptr<State> state_;
};

}  // namespace minimill::engine
