#pragma once

// The program: builds every part from the configuration, hands each what it needs, and runs them on
// one event loop. Reading parts.h shows what minimill is made of.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "config/config.h"
#include "lane/scheduler.h"

namespace minimill::daemon {

namespace asio = boost::asio;

struct DaemonOptions {
  config::Config config;
  config::Environment environment;
  std::filesystem::path program;  // this very binary: it guards llama-server
  bool carry_out_tasks = true;    // false: only answers, for looking at a folder nobody serves
  // The system's unless given; both outlive the daemon.
  const Clock* clock = nullptr;
  Random* random = nullptr;
};

/// How the configuration has work scheduled. Whoever shows what the daemon would do takes these,
/// too.
lane::SchedulerOptions scheduler_options(const config::Config& config);

struct Parts;

class Daemon {
 public:
  /// Opens the folder and the database; nothing listens yet. Event-loop thread, before it runs.
  static Result<std::unique_ptr<Daemon>> create(asio::io_context& io, DaemonOptions options);
  ~Daemon();

  /// Listens and starts the workers. Returns the addresses with their real ports.
  asio::awaitable<Result<std::vector<std::string>>> start();
  /// Takes no more requests, gives running ones `grace`, then ends everything, engines too.
  asio::awaitable<void> stop(std::chrono::milliseconds grace);

 private:
  explicit Daemon(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
  bool carrying_out_ = false;
};

}  // namespace minimill::daemon
