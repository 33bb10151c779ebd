#include "replay/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <charconv>
#include <filesystem>
#include <fstream>

#include "cli/command.h"
#include "cli/replay_source.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "lane/quantile.h"
#include "replay/timeline.h"

namespace minimill::cli {
namespace {

struct ReplayFlags {
  std::string file;
  std::vector<std::string> schedulers;
  std::string speed = "virtual";
  std::string service = "measured";
  std::string run;
  std::optional<int> local_workers;
  std::optional<int> cloud_workers;
  double load = 1;
  std::string svg;
  bool as_json = false;
};

/// What a scheduler made of the tasks.
struct Outcome {
  replay::Arrangement arrangement;
  std::vector<replay::Served> served;
};

struct Figures {
  replay::SimulatedResult means;
  double p99_queue_age_s = 0;
  double longest_wait = 0;  // times its predicted time
  double share_local = 0;
  double usd = 0;
};

Figures figures_of(const std::vector<replay::Served>& served) {
  Figures figures;
  figures.means = replay::summary(served);
  std::vector<double> ages;
  for (const replay::Served& each : served) {
    ages.push_back(each.age_s());
    if (each.predicted_s > 0) {
      figures.longest_wait = std::max(figures.longest_wait, each.age_s() / each.predicted_s);
    }
    if (each.ran == chat::Lane::kLocal) figures.share_local += 1;
    figures.usd += each.usd;
  }
  constexpr double kP99 = 0.99;
  figures.p99_queue_age_s = lane::quantile(std::move(ages), kP99);
  if (!served.empty()) figures.share_local /= static_cast<double>(served.size());
  return figures;
}

json::object to_json(const Outcome& outcome) {
  const Figures figures = figures_of(outcome.served);
  return {{"scheduler", replay::name(outcome.arrangement)},
          {"tasks", outcome.served.size()},
          {"mean_duration_s", figures.means.mean_duration_s},
          {"p95_duration_s", figures.means.p95_duration_s},
          {"mean_queue_age_s", figures.means.mean_queue_age_s},
          {"p95_queue_age_s", figures.means.p95_queue_age_s},
          {"p99_queue_age_s", figures.p99_queue_age_s},
          {"longest_wait_by_predicted", figures.longest_wait},
          {"share_local", figures.share_local},
          {"cost_usd", figures.usd},
          {"throughput_per_h", figures.means.throughput_per_h}};
}

void print_table(const std::vector<Outcome>& outcomes) {
  fmt::print("{:<12} {:>6} {:>10} {:>22} {:>13} {:>7} {:>9} {:>8}\n", "", "tasks", "duration",
             "queue age", "longest wait", "local", "cost", "tasks/h");
  fmt::print("{:<12} {:>6} {:>10} {:>10} {:>11} {:>13} {:>7} {:>9} {:>8}\n", "scheduler", "",
             "mean s", "mean s", "p99 s", "/ predicted", "%", "USD", "");
  for (const Outcome& outcome : outcomes) {
    const Figures figures = figures_of(outcome.served);
    fmt::print("{:<12} {:>6} {:>10.2f} {:>10.2f} {:>11.2f} {:>13.1f} {:>7.0f} {:>9.4f} {:>8.1f}\n",
               replay::name(outcome.arrangement), outcome.served.size(),
               figures.means.mean_duration_s, figures.means.mean_queue_age_s,
               figures.p99_queue_age_s, figures.longest_wait, 100 * figures.share_local,
               figures.usd, figures.means.throughput_per_h);
  }
}

/// How many times faster than real time; nullopt: simulated.
Result<std::optional<double>> speed_of(const std::string& text) {
  if (text == "virtual") return std::nullopt;
  double speed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), speed);
  if (error != std::errc{} || end != text.data() + text.size() ||
      !(speed >= 0.01 && speed <= 1e5)) {
    return fail(ErrorCode::kInvalidArgument, fmt::format("--speed: '{}' is no speed", text),
                "write virtual, or how many times faster than real time: 100");
  }
  return speed;
}

Result<std::vector<replay::ReplayTask>> tasks_to_replay(ApiClient& api, const ReplayFlags& flags,
                                                        const config::RouterConfig& router) {
  Result<std::vector<tasks::TaskSpec>> tasks = tasks::read_tasks_file(flags.file);
  if (!tasks) return std::unexpected(std::move(tasks.error()));
  if (flags.service != "measured") {
    Result<GivenTimes> times = parse_given_times(flags.service);
    if (!times) return std::unexpected(std::move(times.error()));
    return given_tasks(api, *times, router, *tasks);
  }
  std::string run = flags.run;
  if (run.empty()) {
    const std::string name = std::filesystem::path(flags.file).filename().string();
    Result<std::optional<std::string>> newest = newest_run_of(api, name);
    if (!newest) return std::unexpected(std::move(newest.error()));
    if (!*newest) {
      return fail(
          ErrorCode::kNotFound, fmt::format("'{}' was never run here", name),
          "run it first (minimill run), or give times: --service local=7.4,cloud=43,hard=60");
    }
    run = **newest;
  }
  return measured_tasks(api, run, *tasks);
}

std::vector<replay::Served> live(replay::Arranged arranged, double speed,
                                 std::string_view scheduler) {
  boost::asio::io_context io;
  ProgressLine line;
  const std::size_t tasks = arranged.tasks.size();
  std::size_t last_tenth = 0;
  auto on_end = [&, tasks](std::size_t ended) {
    const double share = static_cast<double>(ended) / static_cast<double>(tasks);
    line.update(fmt::format("{} {} {}/{}", scheduler, bar(share, 30), ended, tasks));
    const std::size_t tenth = 10 * ended / tasks;
    if (!line.rewrites() && tenth > last_tenth) {
      line.plain(fmt::format("{} {} %", scheduler, 10 * tenth));
      last_tenth = tenth;
    }
  };
  std::vector<replay::Served> served;
  boost::asio::co_spawn(
      io, replay::replay_live(std::move(arranged), speed, on_end),
      [&served](const std::exception_ptr& failure, std::vector<replay::Served> all) {
        if (failure) std::rethrow_exception(failure);
        served = std::move(all);
      });
  io.run();
  line.clear();
  return served;
}

Result<> write_svg(const ReplayFlags& flags, const std::vector<Outcome>& outcomes) {
  constexpr std::size_t kSteps = 200;
  std::vector<replay::NamedTimeline> compared;
  for (const Outcome& outcome : outcomes) {
    compared.push_back({.name = std::string(replay::name(outcome.arrangement)),
                        .timeline = replay::timeline_of(outcome.served, kSteps)});
  }
  std::ofstream out(flags.svg, std::ios::binary);
  out << replay::to_svg(std::filesystem::path(flags.file).filename().string(), compared);
  out.close();
  if (out) return {};
  return fail(ErrorCode::kIo, fmt::format("cannot write {}", flags.svg));
}

int replay(const Context& context, const ReplayFlags& flags) {
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  const Result<std::optional<double>> speed = speed_of(flags.speed);
  if (!speed) return report_error(speed.error());
  lane::SchedulerOptions options;
  options.usd_per_h = {config->lanes.waiting_usd_per_h, config->lanes.waiting_usd_per_h};
  options.running_share = config->lanes.running_share;
  const lane::PerLane<int> workers{flags.local_workers.value_or(config->local.slots),
                                   flags.cloud_workers.value_or(config->lanes.cloud_slots)};
  const config::RouterConfig router = config->router;
  Result<Session> session = Session::open(context, std::move(*config), {});
  if (!session) return report_error(session.error());
  Result<std::vector<replay::ReplayTask>> tasks = tasks_to_replay(session->api(), flags, router);
  if (!tasks) return report_error(tasks.error());
  for (replay::ReplayTask& task : *tasks) task.arrives_s /= flags.load;
  const std::vector<replay::SimulatedTask> work = replay::with_predictions(std::move(*tasks));

  std::vector<Outcome> outcomes;
  for (const std::string& name : flags.schedulers) {
    const Result<replay::Arrangement> arrangement = replay::parse_arrangement(name);
    if (!arrangement) return report_error(arrangement.error());
    replay::Arranged arranged = replay::arrange(*arrangement, work, workers, options);
    std::vector<replay::Served> served =
        *speed ? live(std::move(arranged), **speed, name)
               : replay::simulate(std::move(arranged.tasks), arranged.options);
    outcomes.push_back({.arrangement = *arrangement, .served = std::move(served)});
  }
  if (!flags.svg.empty()) {
    if (Result<> written = write_svg(flags, outcomes); !written)
      return report_error(written.error());
  }
  if (flags.as_json) {
    json::array all;
    for (const Outcome& outcome : outcomes) all.push_back(to_json(outcome));
    fmt::print("{}\n", json::serialize(json::object{{"schedulers", std::move(all)}}));
    return kExitOk;
  }
  print_table(outcomes);
  if (!flags.svg.empty()) fmt::print("\nQueue age and lanes over time: {}\n", flags.svg);
  return kExitOk;
}

}  // namespace

void add_replay(CLI::App& app, Context& context) {
  auto flags = std::make_shared<ReplayFlags>();
  for (const replay::Arrangement each : replay::kArrangements) {
    flags->schedulers.emplace_back(replay::name(each));
  }
  CLI::App* command = app.add_subcommand(
      "replay", "What would other schedulers, workers or loads have made of a file of tasks?");
  command->add_option("tasks", flags->file, "A file of tasks, one JSON object a line")
      ->required()
      ->check(CLI::ExistingFile);
  command->add_option("--scheduler", flags->schedulers, "Which to compare; repeatable")
      ->check(CLI::IsMember(flags->schedulers))
      ->delimiter(',');
  command->add_option("--speed", flags->speed,
                      "virtual (simulated time), or N times faster than real time");
  command->add_option("--service", flags->service,
                      "measured (in the newest run of this file), or given: "
                      "local=7.4,cloud=43,hard=60 in seconds, spread=none|exponential, seed=N");
  command->add_option("--run", flags->run, "The run whose times were measured");
  command->add_option("--local-workers", flags->local_workers, "Slots of the local lane")
      ->check(CLI::Range(0, 1024));
  command->add_option("--cloud-workers", flags->cloud_workers, "Slots of the cloud lane")
      ->check(CLI::Range(0, 1024));
  command->add_option("--load", flags->load, "The tasks arrive so many times closer together")
      ->check(CLI::Range(0.001, 1e6));
  command->add_option("--svg", flags->svg, "Draw queue age and lanes over time")->type_name("FILE");
  command->add_flag("--json", flags->as_json, "Print JSON");
  command->footer(
      "one-queue: everything in the cloud, first come first served; two-lanes: easy work local, "
      "the\n"
      "rest in the cloud, first come first served; minimill: the scheduler as it is; known-times: "
      "the\n"
      "same, told how long each task really takes.\n"
      "Examples:\n"
      "  minimill replay week.jsonl --svg week.svg\n"
      "  minimill replay week.jsonl --cloud-workers 8 --load 4\n"
      "  minimill replay week.jsonl --service local=2,cloud=6,hard=20 --speed 200 --scheduler "
      "minimill");
  run_on_choice(command, context, flags, replay);
}

}  // namespace minimill::cli
