#pragma once

// Subcommands that ask the daemon's API one thing and print the answer.

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "cli/command.h"
#include "cli/session.h"

namespace minimill::cli {

/// Opens a session and prints what `call(ApiClient&)` brings: as JSON, or by `print(json::object)`.
template <class Call, class Print>
int with_api(const Context& context, bool as_json, Call call, Print print) {
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  Result<Session> session = Session::open(context, std::move(*config), {});
  if (!session) return report_error(session.error());
  Result<json::object> answer = call(session->api());
  if (!answer) return report_error(answer.error());
  if (as_json) {
    fmt::print("{}\n", json::serialize(*answer));
  } else {
    print(*answer);
  }
  return kExitOk;
}

/// A subcommand with --json (Flags::as_json), carried out by `action`.
template <class Flags>
CLI::App* add_action(CLI::App* parent, Context& context, const std::shared_ptr<Flags>& flags,
                     const char* name, const char* description,
                     int (*action)(const Context&, const Flags&)) {
  CLI::App* command = parent->add_subcommand(name, description);
  command->add_flag("--json", flags->as_json, "Print JSON");
  run_on_choice(command, context, flags, action);
  return command;
}

}  // namespace minimill::cli
