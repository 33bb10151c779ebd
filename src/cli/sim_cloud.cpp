#include "simcloud/sim_cloud.h"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>

#include "cli/command.h"

namespace minimill::cli {
namespace {

namespace asio = boost::asio;

struct SimFlags {
  simcloud::SimCloudOptions options;
  int first_token_ms = 600;
  int batch_ms = 2'000;
  std::string gold;
  std::vector<std::string> faults;
};

Result<> read_faults(const std::vector<std::string>& texts, simcloud::SimCloudOptions& options) {
  for (const std::string& text : texts) {
    const auto equals = text.find('=');
    Result<simcloud::Fault> fault = simcloud::parse_fault(text.substr(0, equals));
    if (!fault) return std::unexpected(std::move(fault.error()));
    char* end = nullptr;
    const std::string share = equals == std::string::npos ? "1" : text.substr(equals + 1);
    const double probability = std::strtod(share.c_str(), &end);
    if (end == share.c_str() || *end != '\0' || !(probability >= 0 && probability <= 1)) {
      return fail_field("--fault", fmt::format("'{}' is no probability between 0 and 1", share),
                        "for example --fault 429=0.1");
    }
    options.faults[*fault] = probability;
  }
  return {};
}

int sim_cloud(const SimFlags& flags) {
  simcloud::SimCloudOptions options = flags.options;
  options.first_token = std::chrono::milliseconds{flags.first_token_ms};
  options.batch = std::chrono::milliseconds{flags.batch_ms};
  if (Result<> faults = read_faults(flags.faults, options); !faults) {
    return report_error(faults.error());
  }
  if (!flags.gold.empty()) {
    Result<std::vector<simcloud::GoldAnswer>> gold = simcloud::read_gold(flags.gold);
    if (!gold) return report_error(gold.error());
    options.gold = std::move(*gold);
  }
  asio::io_context io{1};
  simcloud::SimCloud cloud(io, std::move(options));
  Result<std::string> url = cloud.start();
  if (!url) return report_error(url.error());
  fmt::print("sim-cloud (simulated answers) listens on {}\n", *url);
  fmt::print("  OpenAI's protocol: base URL {}/v1; Anthropic's: {}\n", *url, *url);
  std::fflush(stdout);
  asio::signal_set signals(io, SIGINT, SIGTERM);
  signals.async_wait([&](const boost::system::error_code& ec, int) {
    if (ec) return;
    asio::co_spawn(io, cloud.stop(), [&io](const std::exception_ptr&) { io.stop(); });
  });
  io.run();
  fmt::print(stderr, "sim-cloud answered {} requests\n", cloud.requests());
  return kExitOk;
}

}  // namespace

void add_sim_cloud(CLI::App& app, Context& context) {
  auto flags = std::make_shared<SimFlags>();
  CLI::App* command = app.add_subcommand(
      "sim-cloud", "Play a cloud provider: both wire formats, settable speed and faults");
  command->add_option("--listen", flags->options.listen, "Where to listen")->type_name("ADDRESS");
  command->add_option("--first-token-ms", flags->first_token_ms, "Mean time to the first token")
      ->check(CLI::Range(0, 600'000));
  command
      ->add_option("--tokens-per-second", flags->options.tokens_per_second,
                   "Speed after that; 0: at once")
      ->check(CLI::Range(0.0, 1e6));
  command->add_option("--answer-tokens", flags->options.answer_tokens, "Length of an answer")
      ->check(CLI::Range(1, 100'000));
  command->add_option("--gold", flags->gold, "A tasks file whose checks it may satisfy")
      ->type_name("FILE");
  command
      ->add_option("--p-correct", flags->options.p_correct,
                   "Share of those tasks that it answers right")
      ->check(CLI::Range(0.0, 1.0));
  command
      ->add_option("--fault", flags->faults,
                   "401, 429, 500, 503, garbage, half-event, stall or disconnect, or of batches "
                   "batch-fail, batch-expire, batch-hostile, batch-stall or batch-error, with its "
                   "probability; may be given several times")
      ->type_name("NAME=P");
  command->add_option("--key", flags->options.key, "Demand this key")->type_name("KEY");
  command
      ->add_option("--requests-per-minute,--rpm", flags->options.requests_per_minute,
                   "Answer 429 beyond this rate, and tell of it in headers; 0: no limit")
      ->check(CLI::Range(0, 1'000'000));
  command->add_flag("--lying-headers", flags->options.lying_headers,
                    "Rate-limit headers of nonsense");
  command->add_flag("--no-usage", flags->options.no_usage, "Answers do not say what they used");
  command->add_option("--batch-ms", flags->batch_ms, "How long a batch takes")
      ->check(CLI::Range(0, 86'400'000));
  command
      ->add_option("--timed", flags->options.timed,
                   "Answer a prompt that says 'NAME takes 0.43 s' after that time")
      ->type_name("NAME");
  command->add_option("--seed", flags->options.seed, "The same seed gives the same answers");
  command->footer(
      "Examples:\n"
      "  minimill sim-cloud --listen 127.0.0.1:4280\n"
      "  minimill sim-cloud --first-token-ms 50 --fault 429=0.1 --fault stall=0.02\n"
      "  minimill sim-cloud --batch-ms 60000 --rpm 120\n"
      "While it runs:\n"
      "  curl 127.0.0.1:4280/sim/faults -d '{\"stall\": 0.5, \"429\": 0}'\n"
      "  curl 127.0.0.1:4280/sim/log              what was asked so far, without prompts");
  command->callback([&context, flags] { context.chosen = [flags] { return sim_cloud(*flags); }; });
}

}  // namespace minimill::cli
