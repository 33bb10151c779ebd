#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/sha256.h"
#include "cli/command.h"
#include "cli/run_progress.h"
#include "cli/run_report.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "models/store.h"
#include "replay/arrivals.h"
#include "tasks/task.h"
#include "tasks/task_graph.h"

namespace minimill::cli {
namespace {

constexpr std::size_t kTasksPerPost = 250;
constexpr std::chrono::milliseconds kHeadStart{300};  // from now to the first arrival
constexpr std::chrono::milliseconds kPoll{250};

struct RunFlags {
  std::string file;
  std::size_t limit = 0;
  double speed = 60;
  std::string cloud;
  bool fresh = false;
  bool as_json = false;
};

/// Set by SIGINT and SIGTERM.
volatile std::sig_atomic_t g_stopped = 0;

/// When each task falls due: its day's tasks after the day before, all `speed` times faster.
std::vector<std::int64_t> due_times(const std::vector<tasks::TaskSpec>& tasks, double speed,
                                    WallTime start) {
  constexpr double kMsPerSecond = 1000;
  std::vector<std::int64_t> due;
  for (const double arrives_s : replay::arrival_seconds(tasks)) {
    due.push_back(unix_ms(start) + static_cast<std::int64_t>(arrives_s / speed * kMsPerSecond));
  }
  return due;
}

/// The same file with the same options is the same run, to be gone on with.
Result<std::string> fingerprint(const RunFlags& flags) {
  std::ifstream in(flags.file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return fail(ErrorCode::kIo, fmt::format("cannot read {}", flags.file));
  return sha256_hex(fmt::format("{}\n{}\n{}", flags.limit, flags.speed, text.str()));
}

/// Chooses who plays the cloud, for a daemon of our own: sim, or one of the configured providers.
Result<> choose_cloud(const RunFlags& flags, const config::Environment& environment,
                      config::Config& config) {
  if (flags.cloud == "sim") {
    config.providers.clear();
    config.sim_cloud.enabled = true;
    config.sim_cloud.gold = flags.file;
    return {};
  }
  if (flags.cloud.empty()) return {};
  const auto chosen =
      std::ranges::find(config.providers, flags.cloud, &config::ProviderConfig::name);
  if (chosen == config.providers.end()) {
    return fail(ErrorCode::kNotFound, fmt::format("no provider '{}'", flags.cloud),
                "add a [[provider]] of that name to the configuration, or use --cloud sim");
  }
  if (!chosen->key_env.empty() && environment.get(chosen->key_env).empty()) {
    return fail(ErrorCode::kUnauthorized, fmt::format("provider '{}' needs a key", flags.cloud),
                fmt::format("set the environment variable {}", chosen->key_env));
  }
  std::rotate(config.providers.begin(), chosen, chosen + 1);
  config.sim_cloud.enabled = false;
  return {};
}

/// A model whose answers mean nothing must not look as if they did.
std::string warning_about(const config::Config& config) {
  const models::Store store(config.data_dir / "models");
  const Result<models::Model> model = store.find(config.local.model);
  if (!model || !model->info.name.ends_with("-random")) return {};
  return "The local answers of this run mean nothing: the model has random weights, to show the "
         "mechanics. Get a real one: minimill pull smollm2:135m";
}

json::object settings_of(const RunFlags& flags, const json::object& status,
                         const std::string& warning) {
  const json::array& providers = status.at("providers").as_array();
  std::string cloud = "none";
  if (!providers.empty()) {
    cloud = providers.front().as_object().at("name").as_string();
    if (cloud == "sim-cloud") cloud += " (simulated)";
  }
  return {{"speed", flags.speed},
          {"limit", flags.limit},
          {"cloud", cloud},
          {"local_model", status.at("local_model")},
          {"warning", warning}};
}

/// The unfinished run of this file, or "new".
Result<std::string> run_to_go_on_with(ApiClient& api, const RunFlags& flags,
                                      const std::string& print) {
  if (flags.fresh) return "new";
  Result<json::object> runs = api.get("/minimill/v1/runs?fingerprint=" + print);
  if (!runs) return std::unexpected(std::move(runs.error()));
  const json::array& found = runs->at("runs").as_array();
  if (found.empty()) return "new";
  const json::object& run = found.front().as_object();
  fmt::print(stderr, "Going on with run {}: {} of {} tasks are left (--fresh starts anew)\n",
             std::string_view(run.at("run").as_string()), run.at("unfinished").as_int64(),
             run.at("total").as_int64());
  return std::string(run.at("run").as_string());
}

/// Hands the tasks over, in pieces; every piece is on disk when its call returns.
Result<std::string> submit(ApiClient& api, const RunFlags& flags,
                           const std::vector<tasks::TaskSpec>& tasks, const std::string& print,
                           const std::string& warning) {
  Result<json::object> status = api.get("/minimill/v1/status");
  if (!status) return std::unexpected(std::move(status.error()));
  Result<std::string> run = run_to_go_on_with(api, flags, print);
  if (!run) return run;
  const SystemClock clock;
  const std::vector<std::int64_t> due = due_times(tasks, flags.speed, clock.wall() + kHeadStart);
  std::vector<const tasks::TaskSpec*> specs;
  for (const tasks::TaskSpec& task : tasks) specs.push_back(&task);
  // No piece comes before one that it depends on.
  Result<std::vector<std::size_t>> order = tasks::dependency_order(specs);
  if (!order) return std::unexpected(std::move(order.error()));
  for (std::size_t from = 0; from < tasks.size(); from += kTasksPerPost) {
    json::array piece;
    for (std::size_t n = from; n < std::min(tasks.size(), from + kTasksPerPost); ++n) {
      const std::size_t i = (*order)[n];
      piece.push_back({{"due_ms", due[i]}, {"task", tasks::to_json(tasks[i])}});
    }
    const json::object body{{"name", std::filesystem::path(flags.file).filename().string()},
                            {"fingerprint", print},
                            {"settings", settings_of(flags, *status, warning)},
                            {"tasks", std::move(piece)}};
    Result<json::object> accepted = api.post("/minimill/v1/runs/" + *run + "/tasks", body);
    if (!accepted) return std::unexpected(std::move(accepted.error()));
    run = std::string(accepted->at("run").as_string());
  }
  return run;
}

/// Watches until every task has ended. A daemon that is away is waited for: the tasks are on disk.
Result<bool> watch(ApiClient& api, const std::string& run) {
  RunProgress display;
  bool away = false;
  while (g_stopped == 0) {
    Result<json::object> shown = api.get("/minimill/v1/runs/" + run);
    if (!shown && shown.error().code == ErrorCode::kNotFound) {
      return std::unexpected(std::move(shown.error()));
    }
    if (!shown && !away)
      display.plain("The daemon does not answer; waiting for it (the tasks are safe)");
    if (shown && away) display.plain("The daemon is back");
    away = !shown;
    if (shown) {
      const json::object& progress = shown->at("progress").as_object();
      display.show(progress);
      const bool ended =
          progress.at("waiting").as_int64() + progress.at("running_local").as_int64() +
              progress.at("running_cloud").as_int64() + progress.at("running_batch").as_int64() ==
          0;
      if (ended) return progress.at("failed").as_int64() == 0;
    }
    std::this_thread::sleep_for(kPoll);
  }
  return fail(ErrorCode::kCancelled, "stopped before the end",
              fmt::format("the same command goes on where it was (run {})", run));
}

int run(const Context& context, const RunFlags& flags) {
  Result<std::vector<tasks::TaskSpec>> tasks = tasks::read_tasks_file(flags.file);
  if (!tasks) return report_error(tasks.error());
  if (flags.limit > 0 && tasks->size() > flags.limit) tasks->resize(flags.limit);
  Result<std::string> print = fingerprint(flags);
  if (!print) return report_error(print.error());
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  if (Result<> chosen = choose_cloud(flags, context.environment, *config); !chosen) {
    return report_error(chosen.error());
  }
  const std::string warning = warning_about(*config);
  // Tasks come so many times closer together than in life, and a backlog means so many times less:
  // otherwise a hurried week would go to the cloud that a leisurely one would not.
  config->lanes.waiting_usd_per_h /= std::max(flags.speed, 1.0);
  Result<Session> session = Session::open(context, std::move(*config), {.carry_out_tasks = true});
  if (!session) return report_error(session.error());
  if (!session->own() && !flags.cloud.empty()) {
    fmt::print(stderr, "A daemon is running: its own providers are used, not --cloud {}\n",
               flags.cloud);
  }

  std::signal(SIGINT, [](int) { g_stopped = 1; });
  std::signal(SIGTERM, [](int) { g_stopped = 1; });
  Result<std::string> id = submit(session->api(), flags, *tasks, *print, warning);
  if (!id) return report_error(id.error());
  Result<bool> all_done = watch(session->api(), *id);
  if (!all_done) return report_error(all_done.error());
  const int printed = print_report(session->api(), *id, flags.as_json);
  if (printed != kExitOk) return printed;
  return *all_done ? kExitOk : kExitSomeFailed;
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command =
      app.add_subcommand("run", "Carry out a file of tasks, watch both lanes, print the report");
  command->add_option("file", flags->file, "Tasks, one JSON object a line (docs/tasks.md)")
      ->required()
      ->type_name("FILE");
  command->add_option("--limit", flags->limit, "Only the first N tasks; 0: all")
      ->check(CLI::Range(std::size_t{0}, tasks::kMaxTasksPerRun));
  command->add_option("--speed", flags->speed, "How many times faster than in the file they arrive")
      ->check(CLI::Range(0.001, 1e9));
  command
      ->add_option("--cloud", flags->cloud,
                   "Who plays the cloud where no daemon runs yet: sim (simulated, knows the "
                   "file's right answers), or a provider of the configuration")
      ->type_name("NAME");
  command->add_flag("--fresh", flags->fresh, "Begin anew, though a run of this file is unfinished");
  command->add_flag("--json", flags->as_json, "Print the report as JSON");
  command->footer(
      "Examples:\n"
      "  minimill run examples/week.jsonl --cloud sim\n"
      "  minimill run week.jsonl --limit 50 --speed 600\n"
      "Stopped or killed, the same command goes on where it was.");
  command->callback(
      [&context, flags] { context.chosen = [&context, flags] { return run(context, *flags); }; });
}

}  // namespace minimill::cli
