#include "models/pull.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/terminal.h"
#include "models/known_models.h"

namespace minimill::cli {
namespace {

namespace asio = boost::asio;

/// A bar on a terminal, a line for every tenth elsewhere; at most ten redraws a second.
class PullDisplay {
 public:
  void show(const models::PullProgress& progress) {
    if (!progress.note.empty()) line_.plain("  " + progress.note);
    if (progress.total == 0) return;
    const double share = static_cast<double>(progress.done) / static_cast<double>(progress.total);
    if (line_.rewrites()) {
      const SteadyTime now = clock_.steady();
      if (now < next_draw_ && progress.done < progress.total) return;
      next_draw_ = now + std::chrono::milliseconds{100};
      line_.update(fmt::format("  {} {} {} of {}", progress.source, bar(share, kBarWidth),
                               bytes_text(progress.done), bytes_text(progress.total)));
    } else if (const int tenth = static_cast<int>(share * 10); tenth > last_tenth_) {
      last_tenth_ = tenth;
      line_.plain(fmt::format("  {} {:3} % of {}", progress.source, 10 * tenth,
                              bytes_text(progress.total)));
    }
  }

 private:
  static constexpr int kBarWidth = 40;
  SystemClock clock_;
  ProgressLine line_;
  SteadyTime next_draw_{};
  int last_tenth_ = -1;
};

Result<models::Model> pull_now(const models::Store& store, const std::string& name) {
  asio::io_context io{1};
  http::Client client(io);
  PullDisplay display;
  std::optional<Result<models::Model>> result;
  auto work =
      models::pull(client, store, name, {},
                   [&display](const models::PullProgress& progress) { display.show(progress); });
  asio::co_spawn(io, std::move(work),
                 [&result](const std::exception_ptr& failure, Result<models::Model> model) {
                   if (failure) std::rethrow_exception(failure);
                   result.emplace(std::move(model));
                 });
  while (!result) io.run_one();  // not run(): kept connections leave work pending
  return std::move(*result);
}

int pull(const Context& context, const std::string& name) {
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  const std::string wanted = name.empty() ? config->local.model : name;
  const models::Store store(config->data_dir / "models");
  const bool here = store.find(wanted).has_value();
  if (!here) fmt::print(stderr, "Pulling {}\n", wanted);
  Result<models::Model> model = pull_now(store, wanted);
  if (!model) return report_error(model.error());
  fmt::print("{} is {}: {}, {}, sha256 {}\n", model->name, here ? "already here" : "ready",
             model->file.string(), bytes_text(model->info.file_bytes), model->sha256.substr(0, 12));
  return kExitOk;
}

}  // namespace

void add_pull(CLI::App& app, Context& context) {
  auto name = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("pull", "Get a local model, resumable and verified");
  command->add_option("model", *name,
                      "A known name, hf.co/USER/REPO/FILE.gguf, an https URL, or a path to a GGUF; "
                      "the configured local model otherwise");
  std::string footer = "Known models:\n";
  for (const models::KnownModel& known : models::known_models()) {
    footer += fmt::format("  {:<16} {}\n", known.name, known.what);
  }
  footer += "Examples:\n  minimill pull smollm2:135m\n  minimill pull ~/Downloads/model.gguf";
  command->footer(footer);
  command->callback(
      [&context, name] { context.chosen = [&context, name] { return pull(context, *name); }; });
}

}  // namespace minimill::cli
