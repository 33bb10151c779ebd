#include <fmt/format.h>
#include <sys/resource.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdlib>

#include "async/loop_watch.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "daemon/daemon.h"

namespace minimill::cli {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::seconds kGrace{20};  // for requests under way when the daemon is stopped

struct ServeFlags {
  std::vector<std::string> listen;
  bool sim_cloud = false;
};

asio::awaitable<Result<>> start(daemon::Daemon& daemon) {
  Result<std::vector<std::string>> addresses = co_await daemon.start();
  if (!addresses) co_return std::unexpected(std::move(addresses.error()));
  for (const std::string& address : *addresses) {
    if (address.starts_with("unix:")) {
      fmt::print("minimill listens on {}\n", address);
    } else {
      fmt::print("minimill listens on {}: apps use the base URL http://{}/v1\n", address, address);
    }
  }
  std::fflush(stdout);
  co_return Result<>{};
}

void report_hold(const async::LoopWatch::Hold& hold) {
  const double ms = std::chrono::duration<double, std::milli>(hold.cpu).count();
  log::warn("the event loop was held for {:.0f} ms by {}", ms,
            hold.doing.empty() ? "what does not say its name" : hold.doing);
}

/// Ends the loop after a signal, or after a failed start.
class Serving {
 public:
  Serving(asio::io_context& io, daemon::Daemon& daemon)
      : io_(io), daemon_(daemon), signals_(io, SIGINT, SIGTERM) {}

  int run() {
    asio::co_spawn(io_, start(daemon_),
                   [this](const std::exception_ptr& failure, Result<> started) {
                     if (failure) std::rethrow_exception(failure);
                     if (started) return;
                     exit_code_ = report_error(started.error());
                     stop();
                   });
    await_signal();
    watch_.run(io_);
    return exit_code_;
  }

 private:
  void await_signal() {
    signals_.async_wait([this](const boost::system::error_code& ec, int signal) {
      if (ec) return;
      // A second signal means: now.
      if (stopping_) std::_Exit(128 + signal);
      fmt::print(stderr,
                 "minimill: stopping; requests under way have {} s (again to stop at once)\n",
                 kGrace.count());
      stop();
      await_signal();
    });
  }

  void stop() {
    stopping_ = true;
    asio::co_spawn(io_, daemon_.stop(kGrace), [this](const std::exception_ptr& failure) {
      if (failure) std::rethrow_exception(failure);
      signals_.cancel();
      io_.stop();
    });
  }

  asio::io_context& io_;
  daemon::Daemon& daemon_;
  asio::signal_set signals_;
  async::LoopWatch watch_{async::LoopWatch::too_long(), report_hold};
  bool stopping_ = false;
  int exit_code_ = kExitOk;
};

/// Two descriptors a request: the usual soft limit of 1024 is for programs that use select().
void allow_many_files() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

int serve(const Context& context, const ServeFlags& flags) {
  allow_many_files();
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  if (!flags.listen.empty()) config->listen = flags.listen;
  if (flags.sim_cloud) config->sim_cloud.enabled = true;
  const std::string level = context.log_level.empty() ? config->log_level : context.log_level;
  if (Result<> started = log::start(level); !started) return report_error(started.error());

  asio::io_context io{1};
  daemon::DaemonOptions options;
  options.config = std::move(*config);
  options.environment = context.environment;
  options.program = context.program;
  Result<std::unique_ptr<daemon::Daemon>> daemon = daemon::Daemon::create(io, std::move(options));
  if (!daemon) return report_error(daemon.error());
  return Serving(io, **daemon).run();
}

}  // namespace

void add_serve(CLI::App& app, Context& context) {
  auto flags = std::make_shared<ServeFlags>();
  CLI::App* command = app.add_subcommand("serve", "Run the daemon in the foreground");
  command
      ->add_option("--listen", flags->listen,
                   "Where to listen instead of the configuration's addresses: 127.0.0.1:PORT, "
                   "[::1]:PORT or unix:/path; may be given several times")
      ->type_name("ADDRESS");
  command->add_flag("--sim-cloud", flags->sim_cloud,
                    "Play the cloud with a simulated provider (its answers are marked as such)");
  command->footer(
      "Examples:\n"
      "  minimill serve\n"
      "  minimill serve --sim-cloud --listen 127.0.0.1:8080\n"
      "  curl http://127.0.0.1:4177/v1/chat/completions -d '{\"model\":\"auto\",\"messages\":"
      "[{\"role\":\"user\",\"content\":\"Say hello\"}]}'");
  command->callback(
      [&context, flags] { context.chosen = [&context, flags] { return serve(context, *flags); }; });
}

}  // namespace minimill::cli
