#pragma once

// What an engine asks of whoever keeps it: which program to run, how, and whether there is room.
// Given to the engine's constructor, so that a test can be the host, with processes that are none.

#include <boost/asio/awaitable.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace minimill::engine {

namespace asio = boost::asio;

/// A child process. Destroying it kills it. Event-loop thread only.
class EngineProcess {
 public:
  virtual ~EngineProcess() = default;

  /// Of the program; 0 until it is known, and after the end.
  virtual int pid() const = 0;
  virtual bool running() const = 0;
  /// As a shell shows it, 128 + N for signal N; nothing while it runs.
  virtual std::optional<int> exit_status() const = 0;
  /// The last of its output and its errors.
  virtual const std::string& output() const = 0;

  /// SIGTERM, and SIGKILL after a while.
  virtual void ask_to_end() = 0;
  /// SIGKILL, now.
  virtual void kill() = 0;
};

class EngineHost {
 public:
  virtual ~EngineHost() = default;

  virtual asio::awaitable<Result<std::filesystem::path>> llama_server() = 0;
  /// `on_change` is called when pid() becomes known and when running() becomes false.
  virtual Result<std::unique_ptr<EngineProcess>> start(const std::vector<std::string>& command,
                                                       std::function<void()> on_change) = 0;

  /// Asked before a process is started. True: come in, until leave(). False: others are being
  /// stopped for it. kUnavailable: all others are at work. In these two cases LlamaEngine::notify()
  /// says when to ask again. Any other error is final.
  virtual Result<bool> enter() = 0;
  /// No process runs, and none will be started without asking again.
  virtual void leave() = 0;
  /// The last request that was under way has ended.
  virtual void became_idle() = 0;
  /// How many requests the server really answers at once.
  virtual void has_slots(int slots) = 0;
};

}  // namespace minimill::engine
