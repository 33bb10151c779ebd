#pragma once

// What every subcommand is given, and what it gives back: an exit code.
//
// A subcommand registers itself with its options, its help and a callback; main runs the one that
// was asked for. Exit codes: 0 done; 1 it failed (one line on stderr says why and what to do); 2
// the command line was wrong; 3 done, but some tasks failed.

#include <sys/types.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/error.h"
#include "config/config.h"
#include "policy/app_store.h"

namespace minimill::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitSomeFailed = 3;
inline constexpr int kExitClosedPipe = 141;  // as a shell reports SIGPIPE

struct Context {
  config::Environment environment;
  std::filesystem::path program;      // this binary
  std::filesystem::path config_path;  // --config; empty: the default one
  std::string log_level;              // --log-level; empty: the configuration's
  mode_t shell_umask = 0;             // as it was where this process was started
  std::function<int()> chosen;        // set by the subcommand that was asked for

  Result<config::Config> config() const { return config::load_config(config_path, environment); }
};

/// `run` is what the subcommand does when it is the one asked for.
template <class Flags>
void run_on_choice(CLI::App* subcommand, Context& context, std::shared_ptr<Flags> flags,
                   int (*run)(const Context&, const Flags&)) {
  subcommand->callback([&context, flags = std::move(flags), run] {
    context.chosen = [&context, flags, run] { return run(context, *flags); };
  });
}

/// The apps, keys and budgets of the configured folder, which is made where there is none.
Result<policy::AppStore> open_app_store(const Context& context);

/// Prints the error and its hint on stderr; returns kExitFailed.
int report_error(const Error& error);

void add_serve(CLI::App& app, Context& context);
void add_run(CLI::App& app, Context& context);
void add_ask(CLI::App& app, Context& context);
void add_decide(CLI::App& app, Context& context);
void add_task(CLI::App& app, Context& context);
void add_batch(CLI::App& app, Context& context);
void add_ledger(CLI::App& app, Context& context);
void add_outbox(CLI::App& app, Context& context);
void add_replay(CLI::App& app, Context& context);
void add_report(CLI::App& app, Context& context);
void add_open(CLI::App& app, Context& context);
void add_top(CLI::App& app, Context& context);
void add_why(CLI::App& app, Context& context);
void add_status(CLI::App& app, Context& context);
void add_pull(CLI::App& app, Context& context);
void add_models(CLI::App& app, Context& context);
void add_key(CLI::App& app, Context& context);
void add_providers(CLI::App& app, Context& context);
void add_budget(CLI::App& app, Context& context);
void add_router(CLI::App& app, Context& context);
void add_env(CLI::App& app, Context& context);
void add_launch(CLI::App& app, Context& context);
void add_config(CLI::App& app, Context& context);
void add_sim_cloud(CLI::App& app, Context& context);
void add_completion(CLI::App& app, Context& context);
void add_version(CLI::App& app, Context& context);

/// Parses the command line and runs the subcommand. `shell_umask`: for programs that it starts in
/// the user's name.
int run_command_line(int argc, char** argv, mode_t shell_umask);

}  // namespace minimill::cli
