#include <fmt/format.h>

#include "cli/command.h"

namespace minimill::cli {
namespace {

int show(const Context& context) {
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  fmt::print("{}", config::to_toml(*config));
  return kExitOk;
}

int check(const Context& context) {
  const std::filesystem::path path = context.config_path.empty()
                                         ? config::default_config_path(context.environment)
                                         : context.config_path;
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  std::error_code ec;
  fmt::print("{}: {}\n", path.string(),
             std::filesystem::exists(path, ec) ? "good" : "not there; the defaults are in force");
  int code = kExitOk;
  for (const config::ProviderConfig& provider : config->providers) {
    if (provider.key_env.empty() || !context.environment.get(provider.key_env).empty()) continue;
    fmt::print(stderr, "provider '{}': the environment variable {} is not set\n", provider.name,
               provider.key_env);
    code = kExitFailed;
  }
  return code;
}

}  // namespace

void add_config(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("config", "Show and check the configuration");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  minimill config show\n"
      "  minimill --config minimill.toml config check");
  command->add_subcommand("show", "Print what is in force, as TOML")->callback([&context] {
    context.chosen = [&context] { return show(context); };
  });
  command->add_subcommand("check", "Read the file, report what is wrong with it")
      ->callback([&context] { context.chosen = [&context] { return check(context); }; });
}

}  // namespace minimill::cli
