#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/json.h"
#include "cli/api_command.h"
#include "cli/duration.h"
#include "cli/skill.h"

namespace minimill::cli {
namespace {

constexpr double kDay_s = 86'400;

struct TraceFlags {
  std::string id;
  std::string app;
  std::string operation;
  std::string older;
  std::string keep;
  int limit = 50;
  bool all = false;
  bool local_only = false;
  bool as_json = false;
};

std::string_view text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : "";
}

std::string listing_path(const TraceFlags& flags) {
  std::string path = fmt::format("/minimill/v1/traces?limit={}", flags.limit);
  if (!flags.app.empty()) path += "&app=" + url_encoded(flags.app);
  if (!flags.operation.empty()) path += "&operation=" + url_encoded(flags.operation);
  return path;
}

void print_list(const json::object& answer) {
  const json::array& traces = answer.at("traces").as_array();
  if (traces.empty()) fmt::print("No traces are kept yet.\n");
  for (const json::value& each : traces) {
    const json::object& trace = each.as_object();
    fmt::print("{:<31} {:<25} {:<12} {:<32} {:<8} {}\n", text_of(trace, "id"), text_of(trace, "at"),
               text_of(trace, "app"), text_of(trace, "operation"), text_of(trace, "outcome"),
               text_of(trace, "model"));
  }
  fmt::print("\nKept of tasks: 30 days, unless said otherwise; of apps' requests: nothing.\n");
  for (const json::value& each : answer.at("rules").as_array()) {
    const json::object& rule = each.as_object();
    fmt::print("  {}: {}, {} days{}\n", text_of(rule, "app"), text_of(rule, "what"),
               rule.at("days").as_int64(),
               rule.at("local_only").as_bool() ? ", also what may not leave the device" : "");
  }
}

int list(const Context& context, const TraceFlags& flags) {
  auto call = [&](ApiClient& api) { return api.get(listing_path(flags)); };
  return with_api(context, flags.as_json, call, print_list);
}

int show(const Context& context, const TraceFlags& flags) {
  auto call = [&](ApiClient& api) {
    return api.get("/minimill/v1/traces/" + url_encoded(flags.id));
  };
  const auto print = [](const json::object& trace) {
    fmt::print("{} of {}, operation '{}', answered by {} at {}: {}\n\n{}\n\n-> {}\n",
               text_of(trace, "id"), text_of(trace, "app"), text_of(trace, "operation"),
               text_of(trace, "model"), text_of(trace, "at"), text_of(trace, "outcome"),
               text_of(trace, "request"), text_of(trace, "answer"));
  };
  return with_api(context, flags.as_json, call, print);
}

int purge(const Context& context, const TraceFlags& flags) {
  json::object body;
  if (!flags.id.empty()) body["id"] = flags.id;
  if (!flags.app.empty()) body["app"] = flags.app;
  if (!flags.operation.empty()) body["operation"] = flags.operation;
  if (!flags.older.empty()) {
    const Result<double> seconds = parse_seconds(flags.older, "--older");
    if (!seconds) return report_error(seconds.error());
    body["older_s"] = static_cast<std::int64_t>(*seconds);
  }
  if (flags.all) body["all"] = true;
  auto call = [&](ApiClient& api) { return api.post("/minimill/v1/traces/purge", body); };
  const auto print = [](const json::object& answer) {
    fmt::print("{} traces are purged, and what was learnt from them\n",
               answer.at("purged").to_number<std::int64_t>());
  };
  return with_api(context, flags.as_json, call, print);
}

int keep(const Context& context, const TraceFlags& flags) {
  json::object body{{"app", flags.app}, {"what", "all"}, {"local_only", flags.local_only}};
  if (flags.keep == "off") {
    body["what"] = "nothing";
  } else if (flags.keep == "tasks") {
    body["what"] = "tasks";
  } else {
    const Result<double> seconds = parse_seconds(flags.keep, "KEEP");
    if (!seconds) return report_error(seconds.error());
    body["days"] = std::max<std::int64_t>(1, static_cast<std::int64_t>(*seconds / kDay_s));
  }
  auto call = [&](ApiClient& api) { return api.post("/minimill/v1/traces/keep", body); };
  const auto print = [&](const json::object& answer) {
    if (flags.keep == "off") {
      fmt::print(
          "Of {} nothing is kept from now on; what there is goes by: minimill trace purge "
          "--app {}\n",
          flags.app, flags.app);
    } else {
      fmt::print("Of {} {} kept for {} days\n", flags.app,
                 flags.keep == "tasks" ? "tasks are" : "all requests are",
                 answer.at("days").to_number<std::int64_t>());
    }
  };
  return with_api(context, flags.as_json, call, print);
}

void add_filters(CLI::App* command, const std::shared_ptr<TraceFlags>& flags) {
  command->add_option("--app", flags->app, "Only this app's; the owner's tasks are 'tasks'");
  command->add_option("--operation", flags->operation, "Only this operation's");
}

}  // namespace

void add_trace(CLI::App& app, Context& context) {
  auto flags = std::make_shared<TraceFlags>();
  CLI::App* command = app.add_subcommand(
      "trace", "Requests and answers kept to be learnt from: see them, purge them, say how long");
  command->require_subcommand(1);
  command->footer(
      "Traces never leave this machine. Of tasks they are kept unless you say otherwise, of apps\n"
      "only where you say so.\n"
      "Examples:\n"
      "  minimill trace keep mail 30d\n"
      "  minimill trace keep mail off\n"
      "  minimill trace list --app tasks --limit 1000 --json\n"
      "  minimill trace purge --app mail");
  CLI::App* listing =
      add_action(command, context, flags, "list", "List what is kept, and by which rules", list);
  add_filters(listing, flags);
  listing->add_option("--limit", flags->limit, "At most this many")->check(CLI::Range(1, 10'000));
  CLI::App* showing = add_action(command, context, flags, "show", "Show one, whole", show);
  showing->add_option("id", flags->id, "The request's id")->required();
  CLI::App* purging = add_action(command, context, flags, "purge",
                                 "Purge traces, and what was learnt from them", purge);
  purging->add_option("id", flags->id, "Only this one");
  add_filters(purging, flags);
  purging->add_option("--older", flags->older, "Only what is older than this, like 7d");
  purging->add_flag("--all", flags->all, "All there is");
  CLI::App* keeping = add_action(command, context, flags, "keep",
                                 "Say what is kept of an app's requests, and how long", keep);
  keeping->add_option("app", flags->app, "The app, as minimill status names it")->required();
  keeping->add_option("keep", flags->keep, "Like 30d: all; tasks: only tasks; off: nothing")
      ->required();
  keeping->add_flag("--local-only", flags->local_only, "Also what may not leave the device");
}

}  // namespace minimill::cli
