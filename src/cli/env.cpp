#include <fmt/format.h>

#include <algorithm>

#include "cli/app_setup.h"

namespace minimill::cli {
namespace {

/// What a person types once the lines are in force.
std::string command_of(const KnownApp& app, const AppSetup& setup) {
  std::string command(app.program);
  for (const std::string& argument : setup.arguments) command += " " + shell_word(argument);
  return command;
}

json::object to_json(const AppSetup& setup) {
  json::object variables;
  for (const auto& [name, value] : setup.variables) variables[name] = value;
  json::array files;
  for (const auto& [path, text] : setup.files) {
    files.push_back(json::object{{"path", path.native()}, {"text", text}});
  }
  return {{"variables", std::move(variables)},
          {"unset", json::array(setup.unset.begin(), setup.unset.end())},
          {"arguments", json::array(setup.arguments.begin(), setup.arguments.end())},
          {"files", std::move(files)},
          {"code", setup.code}};
}

json::object to_json(const KnownApp& app, const AppSetup& setup) {
  json::object shown{
      {"app", app.name}, {"title", app.title}, {"program", app.program}, {"install", app.install}};
  for (auto& [key, value] : to_json(setup)) shown[key] = value;
  shown["note"] = app.note;
  return shown;
}

int show_common(const AppValues& values, bool as_json) {
  const AppSetup setup = common_setup(values);
  if (as_json) {
    json::array apps;
    for (const KnownApp& app : known_apps()) apps.push_back(to_json(app, set_up(app, values)));
    json::object shown{{"url", values.url}, {"variables", to_json(setup).at("variables")}};
    shown["apps"] = std::move(apps);
    fmt::print("{}\n", json::serialize(shown));
    return kExitOk;
  }
  fmt::print("# What most libraries and many apps read:\n{}", shell_lines(setup));
  fmt::print("# Some read nothing of it. Those that are known, by `minimill env NAME`:\n");
  for (const KnownApp& app : known_apps()) {
    const std::string launch =
        app.program.empty() ? "" : fmt::format("minimill launch {}", app.name);
    fmt::print("{}\n", fmt::format("#   {:<13} {:<15} {}", app.name, app.title, launch));
  }
  return kExitOk;
}

int env(const Context& context, const AppSetupFlags& flags) {
  Result<FoundValues> found = find_values(context, flags);
  if (!found) return report_error(found.error());
  if (flags.app.empty()) return show_common(found->values, flags.as_json);
  const Result<const KnownApp*> app = find_known_app(flags.app);
  if (!app) return report_error(app.error());
  const AppSetup setup = set_up(**app, found->values);
  if (flags.as_json) {
    fmt::print("{}\n", json::serialize(to_json(**app, setup)));
    return kExitOk;
  }
  fmt::print("# {}, which `{}` gets\n", (*app)->title, (*app)->install);
  if (!(*app)->note.empty()) fmt::print("# {}\n", (*app)->note);
  fmt::print("{}", shell_lines(setup));
  if (!(*app)->program.empty()) fmt::print("# then: {}\n", command_of(**app, setup));
  return kExitOk;
}

}  // namespace

void add_env(CLI::App& app, Context& context) {
  auto flags = std::make_shared<AppSetupFlags>();
  CLI::App* command = app.add_subcommand("env", "Print the lines that point an app at minimill");
  command->add_option("app", flags->app, "Its name; without: what most read, and all names");
  add_setup_options(*command, *flags);
  command->add_flag("--json", flags->as_json, "Print JSON");
  command->footer(
      "Examples:\n"
      "  minimill env                    what most apps read, and the apps that are known\n"
      "  eval \"$(minimill env claude-code)\"\n"
      "  minimill env codex --model cloud");
  run_on_choice(command, context, flags, env);
}

}  // namespace minimill::cli
