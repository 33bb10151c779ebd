#include <fmt/format.h>

#include "cli/api_command.h"
#include "cli/command.h"
#include "cli/overview_table.h"
#include "cli/session.h"
#include "cli/terminal.h"

namespace minimill::cli {
namespace {

struct WhyFlags {
  std::string id;
  std::string run;
  bool as_json = false;
};

std::string_view text(const json::object& object, std::string_view key) {
  return object.at(key).as_string();
}

double number(const json::object& object, std::string_view key) {
  return object.at(key).to_number<double>();
}

void print_decision(const json::object& request) {
  const std::string what = fmt::format(
      "{} {}", text(request, "request"),
      text(request, "task").empty() ? "" : fmt::format("(task {})", text(request, "task")));
  fmt::print("{}\n", colored(stdout, Color::kBold, what));
  fmt::print("  asked for '{}', privacy {}, at {}\n", text(request, "model_asked"),
             text(request, "privacy"), text(request, "at"));
  fmt::print("  decided: {} lane, model {}", colored(stdout, Color::kGreen, text(request, "lane")),
             text(request, "model"));
  if (!text(request, "operation").empty()) {
    fmt::print(", recognised as '{}'", text(request, "operation"));
  }
  // A bar over one is out of every estimate's reach: what keeps the request from the device is told
  // among the reasons.
  const double wanted = number(request, "threshold");
  fmt::print("\n  chance that the local answer is good enough: {:.0f} %, wanted: {}\n",
             100 * number(request, "p_local_ok"),
             wanted > 1 ? "more than any" : fmt::format("{:.0f} %", 100 * wanted));
}

void print_reasons(const json::array& reasons) {
  if (!reasons.empty()) fmt::print("  because\n");
  for (const json::value& each : reasons) {
    const json::object& reason = each.as_object();
    const double weight = number(reason, "weight");
    // Log-odds, as + and - signs that can be compared at a glance.
    const std::string sign = weight == 0 ? "rule" : fmt::format("{:+.2f}", weight);
    fmt::print("    {:>6}  {:<11} {}\n", sign, text(reason, "layer"), text(reason, "text"));
  }
}

void print_attempts(const json::array& attempts) {
  for (const json::value& each : attempts) {
    const json::object& attempt = each.as_object();
    const std::string_view backend = text(attempt, "backend");
    const std::string at = backend.empty() || backend == text(attempt, "model")
                               ? std::string{}
                               : fmt::format(" at {}", backend);
    fmt::print("  {} on {}{}: waited {:.0f} ms, took {:.0f} ms{}", text(attempt, "lane"),
               text(attempt, "model"), at, number(attempt, "queued_ms"),
               number(attempt, "duration_ms"),
               attempt.at("hedge").as_bool() ? ", asked because another took long" : "");
    if (number(attempt, "held_tokens") > 0) {
      fmt::print(", held back {} tokens for {:.0f} ms (then {:.0f} % likely to be good enough)",
                 number(attempt, "held_tokens"), number(attempt, "held_ms"),
                 100 * number(attempt, "p_held"));
    }
    if (text(attempt, "error").empty()) {
      fmt::print(", {} + {} tokens{}, {:.6f} USD\n", number(attempt, "prompt_tokens"),
                 number(attempt, "completion_tokens"),
                 attempt.at("usage_estimated").as_bool() ? " (estimated)" : "",
                 number(attempt, "cost_usd"));
    } else {
      fmt::print(", failed: {}\n", text(attempt, "error"));
    }
  }
}

void print_outcomes(const json::array& outcomes) {
  for (const json::value& each : outcomes) {
    const json::object& outcome = each.as_object();
    const bool ok = outcome.at("ok").as_bool();
    const std::string_view kind = text(outcome, "kind");
    fmt::print("  then: {}", kind == "escalated" ? "escalated to the cloud"
                             : ok                ? fmt::format("{} passed", kind)
                                                 : fmt::format("{} failed", kind));
    if (!text(outcome, "detail").empty()) fmt::print(": {}", text(outcome, "detail"));
    fmt::print("\n");
  }
}

/// What there is to ask about.
void print_newest(const json::object& page) {
  const json::array& requests = page.at("requests").as_array();
  if (requests.empty()) {
    fmt::print("Nothing has been asked yet.\n");
    return;
  }
  fmt::print("{:<31} {:<5} {:<24} {:<24} {:>9}\n", "request", "lane", "model", "operation", "took");
  for (const json::value& each : requests) {
    const json::object& request = each.as_object();
    fmt::print("{:<31} {:<5} {:<24.24} {:<24.24} {:>9}\n", text(request, "id"),
               text(request, "lane"), text(request, "model"), text(request, "operation"),
               ms_text(number(request, "duration_ms")));
  }
  fmt::print("\nAsk about one: minimill why {}\n", text(requests.front().as_object(), "id"));
}

int newest(const Context& context, const WhyFlags& flags) {
  auto call = [](ApiClient& api) { return api.get("/minimill/v1/requests?limit=20"); };
  return with_api(context, flags.as_json, call, print_newest);
}

int why(const Context& context, const WhyFlags& flags) {
  if (flags.id.empty()) return newest(context, flags);
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  Result<Session> session = Session::open(context, std::move(*config), {});
  if (!session) return report_error(session.error());
  std::string path = "/minimill/v1/why/" + url_encoded(flags.id);
  if (!flags.run.empty()) path += "?run=" + url_encoded(flags.run);
  Result<json::object> answer = session->api().get(path);
  if (!answer) return report_error(answer.error());
  if (flags.as_json) {
    fmt::print("{}\n", json::serialize(*answer));
    return kExitOk;
  }
  for (const json::value& each : answer->at("requests").as_array()) {
    const json::object& request = each.as_object();
    print_decision(request);
    print_reasons(request.at("reasons").as_array());
    print_attempts(request.at("attempts").as_array());
    print_outcomes(request.at("outcomes").as_array());
  }
  return kExitOk;
}

}  // namespace

void add_why(CLI::App& app, Context& context) {
  auto flags = std::make_shared<WhyFlags>();
  CLI::App* command =
      app.add_subcommand("why", "Explain why a request or a task went where it went");
  command->add_option("id", flags->id, "A request's or a task's id; the newest requests otherwise");
  command->add_option("--run", flags->run, "The task's run; the newest one otherwise");
  command->add_flag("--json", flags->as_json, "Print JSON");
  command->footer(
      "Examples:\n"
      "  minimill why mon-01-invoice\n"
      "  minimill why req_01J…");
  command->callback(
      [&context, flags] { context.chosen = [&context, flags] { return why(context, *flags); }; });
}

}  // namespace minimill::cli
