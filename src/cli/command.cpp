#include "cli/command.h"

#include <fmt/format.h>

#include "base/log.h"
#include "base/private_folder.h"
#include "cli/program_path.h"
#include "cli/skill.h"
#include "cli/terminal.h"
#include "config/data_folder.h"

namespace minimill::cli {
namespace {

constexpr const char* kDescription =
    "minimill: one daemon through which every app and agent on this machine gets at models.\n"
    "Easy work is done on the device, hard work goes to the cloud, quick work never waits.";

constexpr const char* kFooter =
    "Begin with:\n"
    "  minimill pull smollm2:135m            get a small local model\n"
    "  minimill serve                        start the daemon; apps use http://127.0.0.1:4177/v1\n"
    "  minimill open                         see in a browser what it does\n"
    "  minimill run tasks.jsonl              carry out a file of tasks and see what it was worth\n"
    "\n"
    "`minimill COMMAND --help` shows a command's options with examples.";

}  // namespace

Result<policy::AppStore> open_app_store(const Context& context) {
  Result<config::Config> config = context.config();
  if (!config) return std::unexpected(std::move(config.error()));
  if (Result<> made = make_private_folder(config->data_dir); !made) {
    return std::unexpected(std::move(made.error()));
  }
  return policy::AppStore::open(config::apps_file(config->data_dir));
}

int report_error(const Error& error) {
  fmt::print(stderr, "{} {}\n", colored(stderr, Color::kRed, "minimill:"), error.message);
  if (!error.hint.empty()) fmt::print(stderr, "  {}\n", error.hint);
  return kExitFailed;
}

int run_command_line(int argc, char** argv, mode_t shell_umask) {
  Context context;
  context.shell_umask = shell_umask;
  context.environment = config::Environment::read();
  context.program = program_path(argv[0]);

  CLI::App app(kDescription, "minimill");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  app.option_defaults()->always_capture_default();
  app.add_option("-c,--config", context.config_path, "The configuration file")->type_name("FILE");
  app.add_option("--log-level", context.log_level, "error, warn, info or debug")
      ->check(CLI::IsMember({"error", "warn", "info", "debug"}))
      ->type_name("LEVEL");

  add_serve(app, context);
  add_run(app, context);
  add_ask(app, context);
  add_decide(app, context);
  add_task(app, context);
  add_batch(app, context);
  add_outbox(app, context);
  add_ledger(app, context);
  add_trace(app, context);
  add_skill(app, context);
  add_replay(app, context);
  add_report(app, context);
  add_top(app, context);
  add_open(app, context);
  add_why(app, context);
  add_status(app, context);
  add_pull(app, context);
  add_models(app, context);
  add_key(app, context);
  add_providers(app, context);
  add_budget(app, context);
  add_router(app, context);
  add_env(app, context);
  add_launch(app, context);
  add_config(app, context);
  add_sim_cloud(app, context);
  add_completion(app, context);
  add_version(app, context);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {  // CLI11 reports help and bad usage only so
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  const std::string level = context.log_level.empty() ? "warn" : context.log_level;
  if (Result<> started = log::start(level); !started) return report_error(started.error());
  try {
    return context.chosen ? context.chosen() : kExitUsage;
  } catch (const std::system_error& error) {  // {fmt} reports a closed stdout only so: `… | head`
    if (error.code() != std::errc::broken_pipe) throw;
    return kExitClosedPipe;
  }
}

}  // namespace minimill::cli
