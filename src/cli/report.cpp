#include <fmt/format.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/overview_table.h"
#include "cli/run_report.h"
#include "cli/session.h"

namespace minimill::cli {
namespace {

constexpr std::string_view kNewest = "newest";

struct ReportFlags {
  std::string run;
  int days = 30;
  bool list = false;
  bool as_json = false;
};

int print_runs(const json::object& runs, bool as_json) {
  if (as_json) {
    fmt::print("{}\n", json::serialize(runs));
    return kExitOk;
  }
  fmt::print("{:<32} {:<25} {:>6} {:>11}  {}\n", "run", "began", "tasks", "unfinished", "name");
  for (const json::value& each : runs.at("runs").as_array()) {
    const json::object& run = each.as_object();
    fmt::print("{:<32} {:<25} {:>6} {:>11}  {}\n", std::string_view(run.at("run").as_string()),
               std::string_view(run.at("created_at").as_string()), run.at("total").as_int64(),
               run.at("unfinished").as_int64(), std::string_view(run.at("name").as_string()));
  }
  return kExitOk;
}

/// Of all requests and tasks: what the page shows, too.
int print_overview(ApiClient& api, const ReportFlags& flags) {
  Result<std::string> text = api.get_text(fmt::format("/minimill/v1/overview?days={}", flags.days));
  if (!text) return report_error(text.error());
  if (flags.as_json) {
    fmt::print("{}", *text);
    return kExitOk;
  }
  const Result<json::object> overview = parse_json_object(*text);
  if (!overview) return report_error(overview.error());
  fmt::print("{}", overview_table(*overview));
  return kExitOk;
}

int report(const Context& context, const ReportFlags& flags) {
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  Result<Session> session = Session::open(context, std::move(*config), {});
  if (!session) return report_error(session.error());
  if (flags.run.empty() && !flags.list) return print_overview(session->api(), flags);
  std::string run = flags.run;
  if (run == kNewest || flags.list) {
    Result<json::object> runs = session->api().get("/minimill/v1/runs");
    if (!runs) return report_error(runs.error());
    if (flags.list) return print_runs(*runs, flags.as_json);
    const json::array& listed = runs->at("runs").as_array();
    if (listed.empty()) {
      return report_error({.code = ErrorCode::kNotFound,
                           .message = "there is no run to report on",
                           .hint = "carry out a file of tasks first: minimill run tasks.jsonl",
                           .field = {},
                           .retry_after = {}});
    }
    run = listed.front().as_object().at("run").as_string();
  }
  return print_report(session->api(), run, flags.as_json);
}

}  // namespace

int print_report(ApiClient& api, const std::string& run, bool as_json) {
  const std::string path = "/minimill/v1/runs/" + url_encoded(run) + "/report";
  Result<std::string> text = api.get_text(as_json ? path : path + "?format=table");
  if (!text) return report_error(text.error());
  fmt::print("{}", *text);
  return kExitOk;
}

void add_report(CLI::App& app, Context& context) {
  auto flags = std::make_shared<ReportFlags>();
  CLI::App* command =
      app.add_subcommand("report", "Show what it was worth: the last days, or a run");
  command->add_option("run", flags->run,
                      "A run, or 'newest'; the last days of everything otherwise");
  command->add_option("--days", flags->days, "So many days, today (UTC) being the last")
      ->check(CLI::Range(1, 3660));
  command->add_flag("--list", flags->list, "List the runs there are");
  command->add_flag("--json", flags->as_json, "Print JSON");
  command->footer(
      "Examples:\n"
      "  minimill report                       share local, quality, money; by day, app, "
      "operation\n"
      "  minimill report --days 7 --json | jq .all.money.saved_usd\n"
      "  minimill report newest                what the last run was worth");
  command->callback([&context, flags] {
    context.chosen = [&context, flags] { return report(context, *flags); };
  });
}

}  // namespace minimill::cli
