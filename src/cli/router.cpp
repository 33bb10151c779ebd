#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/json.h"
#include "cli/command.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "route/routing_metrics.h"

namespace minimill::cli {
namespace {

constexpr std::string_view kState = "/minimill/v1/router/state";
constexpr std::size_t kBatch = 200;  // examples a request
constexpr std::size_t kMaxStateBytes = std::size_t{32} << 20;

struct RouterFlags {
  std::string file;
  bool as_json = false;
};

Result<Session> open_session(const Context& context) {
  Result<config::Config> config = context.config();
  if (!config) return std::unexpected(std::move(config.error()));
  return Session::open(context, std::move(*config), {});
}

double number(const json::object& object, std::string_view key) {
  return object.at(key).to_number<double>();
}

std::string_view text(const json::object& object, std::string_view key) {
  return object.at(key).as_string();
}

std::string share_of(const json::object& record) {
  const double right = number(record, "right");
  const double all = right + number(record, "wrong");
  if (all < 0.5) return "never tried";
  return fmt::format("{:.0f} % of {:.0f}", 100 * right / all, all);
}

void print_bounds(const json::array& bounds) {
  if (bounds.empty()) {
    fmt::print("  no quality bound is set (see [[router.bound]] in docs/router.md)\n");
  }
  for (const json::value& each : bounds) {
    const json::object& bound = each.as_object();
    const std::string_view app = text(bound, "app");
    const std::string_view operation = text(bound, "operation");
    const std::string whose = !operation.empty() ? fmt::format("operation '{}'", operation)
                              : !app.empty()     ? fmt::format("app '{}'", app)
                                                 : std::string("everything");
    fmt::print("  {}: lose at most {:.3g} % against the cloud, with {:.3g} % confidence\n", whose,
               100 * number(bound, "max_loss"), 100 * number(bound, "confidence"));
    const double missing = number(bound, "missing");
    if (bound.at("kept").as_bool()) {
      fmt::print(
          "    kept on the device from an estimate of {:.0f} % on, as {:.0f} comparisons "
          "show\n",
          100 * number(bound, "bar"), number(bound, "audits"));
    } else if (missing > 0) {
      fmt::print(
          "    {:.0f} comparisons so far, at least {:.0f} more are needed; until then it "
          "goes to the cloud\n",
          number(bound, "audits"), missing);
    } else {
      fmt::print(
          "    {:.0f} comparisons do not show that the device keeps it; it goes to the "
          "cloud\n",
          number(bound, "audits"));
    }
  }
}

void print_calibration(const json::object& calibration) {
  const double outcomes = number(calibration, "outcomes");
  if (outcomes < 1) {
    fmt::print("  no outcome is known yet\n");
    return;
  }
  fmt::print("  foretold   came true   outcomes\n");
  for (const json::value& each : calibration.at("bins").as_array()) {
    const json::object& bin = each.as_object();
    if (number(bin, "outcomes") < 0.5) continue;
    constexpr int kWidth = 30;
    fmt::print("  {:>6.0f} %   {:>7.0f} %   {:>8.0f}  {}\n", 100 * number(bin, "foretold"),
               100 * number(bin, "came_true"), number(bin, "outcomes"),
               bar(number(bin, "came_true"), kWidth));
  }
  fmt::print("  expected calibration error {:.3f}, over {:.0f} outcomes\n",
             number(calibration, "expected_calibration_error"), outcomes);
}

void print_operations(const json::array& operations) {
  if (operations.empty()) fmt::print("  none yet\n");
  for (const json::value& each : operations) {
    const json::object& operation = each.as_object();
    fmt::print("  {:<36} seen {:>5}   device: {:<16} cloud: {}\n", text(operation, "operation"),
               operation.at("seen").to_number<std::int64_t>(),
               share_of(operation.at("local").as_object()),
               share_of(operation.at("cloud").as_object()));
    const auto to_prove = operation.at("to_prove").to_number<int>();
    if (to_prove > 0) {
      fmt::print(
          "    careful: it went wrong more often than foretold; {} good tries in a row are "
          "wanted\n",
          to_prove);
    }
  }
}

int show(const Context& context, const RouterFlags& flags) {
  Result<Session> session = open_session(context);
  if (!session) return report_error(session.error());
  Result<json::object> shown = session->api().get("/minimill/v1/router");
  if (!shown) return report_error(shown.error());
  if (flags.as_json) {
    fmt::print("{}\n", json::serialize(*shown));
    return kExitOk;
  }
  const auto heading = [](std::string_view title) {
    fmt::print("{}\n", colored(stdout, Color::kBold, title));
  };
  heading("Bars");
  fmt::print("  local from {:.0f} % on, or {:.0f} % where a check will tell\n",
             100 * number(*shown, "threshold"), 100 * number(*shown, "threshold_checked"));
  heading("Quality bounds");
  print_bounds(shown->at("bounds").as_array());
  heading("Calibration: how true the estimates have been");
  print_calibration(shown->at("calibration").as_object());
  heading("Outcomes, and what each kind weighs");
  for (const json::value& each : shown->at("outcomes").as_array()) {
    const json::object& kind = each.as_object();
    fmt::print("  {:<12} {:.2f}\n", text(kind, "kind"), number(kind, "weight"));
  }
  heading("Operations");
  print_operations(shown->at("operations").as_array());
  return kExitOk;
}

Result<json::array> read_examples(const std::string& path) {
  std::ifstream in(path);
  if (!in) {
    return fail(ErrorCode::kNotFound, fmt::format("cannot open {}", path),
                "give a file with one JSON object per line: prompt, operation, local_ok, cloud_ok");
  }
  json::array examples;
  std::string line;
  for (int number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    Result<json::object> object = parse_json_object(line);
    if (!object) {
      return std::unexpected(
          std::move(object.error()).context(fmt::format("{}, line {}", path, number)));
    }
    examples.push_back(std::move(*object));
  }
  if (examples.empty()) return fail(ErrorCode::kInvalidArgument, path + " has no examples");
  return examples;
}

/// Sends the examples in batches; `on_answer` gets each batch's answer.
Result<> send_examples(ApiClient& api, const std::string& path, const json::array& examples,
                       const std::function<void(const json::object&)>& on_answer) {
  ProgressLine progress;
  for (std::size_t from = 0; from < examples.size(); from += kBatch) {
    const std::size_t until = std::min(from + kBatch, examples.size());
    json::array batch(examples.begin() + static_cast<std::ptrdiff_t>(from),
                      examples.begin() + static_cast<std::ptrdiff_t>(until));
    Result<json::object> answer = api.post(path, json::object{{"examples", std::move(batch)}});
    if (!answer) {
      return std::unexpected(
          std::move(answer.error()).context(fmt::format("examples {} to {}", from, until - 1)));
    }
    on_answer(*answer);
    constexpr int kWidth = 30;
    const double share = static_cast<double>(until) / static_cast<double>(examples.size());
    progress.update(
        fmt::format("[{}] {} of {} examples", bar(share, kWidth), until, examples.size()));
  }
  progress.clear();
  return {};
}

int train(const Context& context, const RouterFlags& flags) {
  Result<json::array> examples = read_examples(flags.file);
  if (!examples) return report_error(examples.error());
  Result<Session> session = open_session(context);
  if (!session) return report_error(session.error());
  Result<> sent = send_examples(session->api(), "/minimill/v1/router/train", *examples,
                                [](const json::object&) {});
  if (!sent) return report_error(sent.error());
  fmt::print("learnt from {} examples\n", examples->size());
  return kExitOk;
}

/// What the estimates are worth where the examples say what became of them.
json::object evaluate(const json::array& examples, const json::array& estimates, double bar) {
  std::vector<route::Routed> routed;
  std::size_t known = 0;
  std::size_t operations = 0;
  std::size_t right = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const json::object& example = examples[i].as_object();
    const json::object& estimate = estimates[i].as_object();
    if (const json::value* operation = example.if_contains("operation")) {
      ++operations;
      const bool is_text = operation->is_string();
      if (is_text && route::operation_slug(std::string_view(operation->as_string())) ==
                         text(estimate, "operation")) {
        ++right;
      }
    }
    const json::value* local_ok = example.if_contains("local_ok");
    const json::value* cloud_ok = example.if_contains("cloud_ok");
    if (local_ok == nullptr || !local_ok->is_bool()) continue;
    ++known;
    routed.push_back(
        {.score = 1 - number(estimate, "good_enough"),
         .p_local = number(estimate, "local"),
         .local_ok = local_ok->as_bool(),
         .cloud_ok = cloud_ok == nullptr || !cloud_ok->is_bool() || cloud_ok->as_bool()});
  }
  json::object result{{"examples", examples.size()}, {"outcomes_known", known}};
  if (operations > 0) {
    result["operations_right"] = static_cast<double>(right) / static_cast<double>(operations);
  }
  if (known == 0) return result;
  const route::RoutingMetrics metrics = route::routing_metrics(routed);
  double local = 0;
  double lost = 0;
  for (const route::Routed& each : routed) {
    if (1 - each.score < bar) continue;
    local += 1;
    lost += (each.cloud_ok ? 1 : 0) - (each.local_ok ? 1 : 0);
  }
  const auto count = static_cast<double>(known);
  result["share_local"] = local / count;
  result["lost_against_cloud"] = lost / count;
  result["apgr"] = metrics.apgr;
  result["cpt50"] = metrics.cpt50;
  result["cpt80"] = metrics.cpt80;
  result["expected_calibration_error"] = metrics.calibration_error;
  return result;
}

int eval(const Context& context, const RouterFlags& flags) {
  Result<json::array> examples = read_examples(flags.file);
  if (!examples) return report_error(examples.error());
  Result<Session> session = open_session(context);
  if (!session) return report_error(session.error());
  Result<json::object> shown = session->api().get("/minimill/v1/router");
  if (!shown) return report_error(shown.error());
  json::array estimates;
  Result<> sent = send_examples(session->api(), "/minimill/v1/router/estimate", *examples,
                                [&estimates](const json::object& answer) {
                                  for (const json::value& each : answer.at("estimates").as_array())
                                    estimates.push_back(each);
                                });
  if (!sent) return report_error(sent.error());
  const double bar = number(*shown, "threshold");
  const json::object result = evaluate(*examples, estimates, bar);
  if (flags.as_json) {
    fmt::print("{}\n", json::serialize(result));
    return kExitOk;
  }
  fmt::print("{} examples, the outcome of {} is known\n", examples->size(),
             result.at("outcomes_known").to_number<std::size_t>());
  const auto line = [&result](std::string_view key, std::string_view says, double times,
                              std::string_view unit) {
    if (const json::value* value = result.if_contains(key)) {
      fmt::print("  {:<44} {:.3g}{}\n", says, times * value->to_number<double>(), unit);
    }
  };
  line("operations_right", "operations recognised", 100, " %");
  line("share_local", fmt::format("would stay on the device, at a bar of {:.0f} %", 100 * bar), 100,
       " %");
  line("lost_against_cloud", "right answers lost against cloud-only", 100, " %");
  line("apgr", "APGR (0.5: no better than chance)", 1, "");
  line("cpt50", "to the cloud to recover half of the gap", 100, " %");
  line("cpt80", "to the cloud to recover 80 % of it", 100, " %");
  line("expected_calibration_error", "expected calibration error", 1, "");
  return kExitOk;
}

int export_state(const Context& context, const RouterFlags& flags) {
  Result<Session> session = open_session(context);
  if (!session) return report_error(session.error());
  Result<std::string> state = session->api().get_text(std::string(kState));
  if (!state) return report_error(state.error());
  std::ofstream out(flags.file, std::ios::binary | std::ios::trunc);
  out << *state;
  out.close();
  if (!out) {
    return report_error({.code = ErrorCode::kIo,
                         .message = "cannot write " + flags.file,
                         .hint = "is there room, and may you write there?",
                         .field = {},
                         .retry_after = {}});
  }
  fmt::print("{} written, {}\n", flags.file, bytes_text(state->size()));
  return kExitOk;
}

int import_state(const Context& context, const RouterFlags& flags) {
  std::ifstream in(flags.file, std::ios::binary);
  std::error_code ec;
  const std::uintmax_t size = std::filesystem::file_size(flags.file, ec);
  if (!in || ec || size > kMaxStateBytes) {
    return report_error({.code = ErrorCode::kNotFound,
                         .message = "cannot read " + flags.file,
                         .hint = "give a file that `minimill router export` wrote",
                         .field = {},
                         .retry_after = {}});
  }
  std::string state{std::istreambuf_iterator<char>(in), {}};
  Result<Session> session = open_session(context);
  if (!session) return report_error(session.error());
  Result<json::object> taken = session->api().put_bytes(std::string(kState), std::move(state));
  if (!taken) return report_error(taken.error());
  fmt::print("taken over: {} operations are known now\n",
             taken->at("operations").to_number<std::size_t>());
  return kExitOk;
}

}  // namespace

void add_router(CLI::App& app, Context& context) {
  auto flags = std::make_shared<RouterFlags>();
  CLI::App* command = app.add_subcommand("router", "What the router knows, and how to teach it");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  minimill router show\n"
      "  minimill router train examples.jsonl\n"
      "  minimill router eval held-out.jsonl --json\n"
      "  minimill router export router.bin && scp router.bin other: "
      "&& ssh other minimill router import router.bin\n"
      "Examples are lines of JSON: {\"prompt\": …, \"operation\": …, \"local_ok\": true, "
      "\"cloud_ok\": true}");
  CLI::App* showing = command->add_subcommand(
      "show", "Operations, calibration, quality bounds and the evidence still missing");
  showing->add_flag("--json", flags->as_json, "Print JSON");
  run_on_choice(showing, context, flags, show);
  CLI::App* training = command->add_subcommand("train", "Learn from labelled examples");
  training->add_option("file", flags->file, "Lines of JSON")->required();
  run_on_choice(training, context, flags, train);
  CLI::App* evaluating =
      command->add_subcommand("eval", "How good its estimates are on labelled examples");
  evaluating->add_option("file", flags->file, "Lines of JSON")->required();
  evaluating->add_flag("--json", flags->as_json, "Print JSON");
  run_on_choice(evaluating, context, flags, eval);
  CLI::App* exporting = command->add_subcommand("export", "Write all that it has learnt to a file");
  exporting->add_option("file", flags->file, "Where to")->required();
  run_on_choice(exporting, context, flags, export_state);
  CLI::App* importing =
      command->add_subcommand("import", "Take over what was exported, instead of its own");
  importing->add_option("file", flags->file, "Where from")->required();
  run_on_choice(importing, context, flags, import_state);
}

}  // namespace minimill::cli
