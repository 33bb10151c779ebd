#include <fmt/format.h>

#include <algorithm>
#include <iostream>
#include <optional>
#include <string>

#include "cli/api_command.h"
#include "cli/duration.h"
#include "cli/terminal.h"

namespace minimill::cli {
namespace {

struct LedgerFlags {
  std::string older;
  bool dry_run = false;
  bool yes = false;
  bool as_json = false;
};

Result<std::optional<std::int64_t>> older_of(const LedgerFlags& flags) {
  if (flags.older.empty()) return std::nullopt;
  Result<double> seconds = parse_seconds(flags.older, "--older");
  if (!seconds) return std::unexpected(std::move(seconds.error()));
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(*seconds));
}

std::string size_of(const json::value& bytes) {
  return bytes.is_null() ? "-" : bytes_text(bytes.to_number<std::uint64_t>());
}

std::string days_of(std::int64_t seconds) {
  return seconds == 0 ? "for ever"
                      : fmt::format("{:.4g} days", static_cast<double>(seconds) / 86'400);
}

void print_usage(const json::object& usage) {
  fmt::print("{:<10} {:>10}  {:<25} {:>12}\n", "kind", "size", "oldest", "to be pruned");
  for (const json::value& each : usage.at("kinds").as_array()) {
    const json::object& kind = each.as_object();
    const json::value* oldest = kind.if_contains("oldest_at");
    fmt::print("{:<10} {:>10}  {:<25} {:>12}\n", std::string_view(kind.at("kind").as_string()),
               size_of(kind.at("bytes")),
               oldest == nullptr ? "-" : std::string_view(oldest->as_string()),
               kind.at("prunable_rows").to_number<std::int64_t>());
  }
  const auto max_bytes = usage.at("max_bytes").to_number<std::uint64_t>();
  fmt::print("\nThe file has {}, of which {} are free. Kept: {}, {}.\n",
             size_of(usage.at("file_bytes")), size_of(usage.at("free_bytes")),
             days_of(usage.at("keep_s").to_number<std::int64_t>()),
             max_bytes == 0 ? "of any size" : "at most " + bytes_text(max_bytes));
}

void print_pruned(const json::object& answer) {
  const json::object& pruned = answer.at("pruned").as_object();
  if (pruned.empty()) fmt::print("There was nothing to prune.\n");
  for (const auto& [kind, rows] : pruned) {
    fmt::print("{:>8} {} pruned\n", rows.to_number<std::int64_t>(), std::string_view(kind));
  }
}

std::string usage_path(std::optional<std::int64_t> older_s) {
  std::string path = "/minimill/v1/ledger";
  if (older_s) path += fmt::format("?older_s={}", *older_s);
  return path;
}

int du(const Context& context, const LedgerFlags& flags) {
  auto call = [](ApiClient& api) { return api.get(usage_path(std::nullopt)); };
  return with_api(context, flags.as_json, call, print_usage);
}

/// Asks on a terminal; elsewhere --yes must have been said.
Result<> confirmed(const LedgerFlags& flags) {
  if (flags.yes) return {};
  const auto unsaid = fail(ErrorCode::kInvalidArgument, "what is pruned is gone",
                           "say --yes to prune, --dry-run to see what would go");
  if (flags.as_json || !is_terminal(stdin) || !is_terminal(stdout)) return unsaid;
  fmt::print("Prune {}? Sums by day stay. [y/N] ", flags.older.empty()
                                                       ? "what [ledger] no longer keeps"
                                                       : "what is older than " + flags.older);
  std::fflush(stdout);
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return {};
  return fail(ErrorCode::kCancelled, "nothing has been pruned");
}

int prune(const Context& context, const LedgerFlags& flags) {
  const Result<std::optional<std::int64_t>> older_s = older_of(flags);
  if (!older_s) return report_error(older_s.error());
  if (flags.dry_run) {
    auto look = [&](ApiClient& api) { return api.get(usage_path(*older_s)); };
    return with_api(context, flags.as_json, look, print_usage);
  }
  if (Result<> said = confirmed(flags); !said) return report_error(said.error());
  json::object body;
  if (*older_s) body["older_s"] = **older_s;
  auto call = [&](ApiClient& api) { return api.post("/minimill/v1/ledger/prune", body); };
  return with_api(context, flags.as_json, call, print_pruned);
}

}  // namespace

void add_ledger(CLI::App& app, Context& context) {
  auto flags = std::make_shared<LedgerFlags>();
  CLI::App* command =
      app.add_subcommand("ledger", "What the database holds of requests and tasks: look, prune");
  command->require_subcommand(1);
  command->footer(
      "The daemon prunes by itself, as [ledger] keep and max_size say. What is still to be done "
      "is\n"
      "never pruned, and sums by day stay.\n"
      "Examples:\n"
      "  minimill ledger du\n"
      "  minimill ledger prune --older 30d --dry-run\n"
      "  minimill ledger prune --older 30d --yes");
  add_action(command, context, flags, "du", "Show what takes how much room, and since when", du);
  CLI::App* pruning = add_action(command, context, flags, "prune",
                                 "Prune what is old, and give the room back", prune);
  pruning->add_option("--older", flags->older,
                      "Older than this, like 30d; as configured otherwise");
  pruning->add_flag("--dry-run", flags->dry_run, "Only show what would go");
  pruning->add_flag("--yes", flags->yes, "Do not ask");
}

}  // namespace minimill::cli
