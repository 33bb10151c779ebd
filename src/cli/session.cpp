#include "cli/session.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <thread>
#include <utility>

#include "config/data_folder.h"
#include "daemon/daemon.h"

namespace minimill::cli {

namespace asio = boost::asio;

/// A daemon on a thread of its own.
struct Session::Own {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  std::unique_ptr<daemon::Daemon> daemon;
  std::thread thread;

  ~Own() {
    constexpr std::chrono::seconds kGrace{5};
    if (thread.joinable()) {
      asio::co_spawn(io, daemon->stop(kGrace), asio::use_future).wait();
      work.reset();
      io.stop();
      thread.join();
    }
  }
};

Session::Session(std::unique_ptr<Own> own, std::unique_ptr<ApiClient> api)
    : own_(std::move(own)), api_(std::move(api)) {}
Session::Session(Session&&) noexcept = default;

Session::~Session() {
  api_.reset();
  own_.reset();
}

Result<Session> Session::open(const Context& context, config::Config config,
                              SessionOptions options) {
  if (const auto addresses = config::find_daemon(config.data_dir);
      addresses && !addresses->empty()) {
    return Session(nullptr, std::make_unique<ApiClient>(addresses->front()));
  }
  auto own = std::make_unique<Own>();
  daemon::DaemonOptions daemon_options;
  daemon_options.config = std::move(config);
  daemon_options.config.listen = {};  // its Unix socket is enough
  daemon_options.environment = context.environment;
  daemon_options.program = context.program;
  daemon_options.carry_out_tasks = options.carry_out_tasks;
  Result<std::unique_ptr<daemon::Daemon>> made =
      daemon::Daemon::create(own->io, std::move(daemon_options));
  if (!made) return std::unexpected(std::move(made.error()));
  own->daemon = std::move(*made);
  auto started = asio::co_spawn(own->io, own->daemon->start(), asio::use_future);
  own->thread = std::thread([&io = own->io] { io.run(); });
  Result<std::vector<std::string>> addresses = started.get();
  if (!addresses) return std::unexpected(std::move(addresses.error()));
  auto api = std::make_unique<ApiClient>(addresses->front());
  return Session(std::move(own), std::move(api));
}

}  // namespace minimill::cli
