#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "cli/command.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "cloud/catalogue.h"

namespace minimill::cli {
namespace {

constexpr std::string_view kProviders = "/minimill/v1/providers";

struct ProviderFlags {
  std::string name;
  bool as_json = false;
  bool force = false;
};

std::string_view text(const json::object& object, std::string_view key) {
  return object.at(key).as_string();
}

/// A number, or "-" for what has not been measured.
std::string figure(const json::object& object, std::string_view key, std::string_view unit,
                   int digits = 0) {
  const json::value& value = object.at(key);
  if (!value.is_number()) return "-";
  return fmt::format("{:.{}f}{}", value.to_number<double>(), digits, unit);
}

std::string price_text(const json::value& price) {
  if (!price.is_object()) return "unknown";
  const json::object& usd = price.as_object();
  return fmt::format("{:g} / {:g}", usd.at("input_usd_per_mtok").to_number<double>(),
                     usd.at("output_usd_per_mtok").to_number<double>());
}

void print_model(const json::object& provider, const json::object& model) {
  const json::value* measured = model.if_contains("measured");
  fmt::print("{:<12} {:<34} {:>15}", text(provider, "name"), text(model, "model"),
             price_text(model.at("price")));
  if (measured == nullptr || !measured->is_object()) {
    fmt::print("  {}\n", colored(stdout, Color::kDim, "not asked yet"));
    return;
  }
  constexpr double kPerCent = 100;
  const json::object& health = measured->as_object();
  const bool streamed = health.at("first_token_ms").is_number();
  const std::string_view breaker = text(health, "breaker");
  fmt::print(" {:>9} {:>9} {:>8} {:>6.1f} % {}\n",
             figure(health, streamed ? "first_token_ms" : "duration_ms", " ms"),
             figure(health, streamed ? "first_token_p95_ms" : "duration_p95_ms", " ms"),
             figure(health, "tokens_per_second", ""),
             kPerCent * health.at("error_rate").to_number<double>(),
             breaker == "closed"
                 ? std::string("well")
                 : colored(stdout, Color::kRed, fmt::format("left alone ({})", breaker)));
}

void print_heading() {
  fmt::print("{:<12} {:<34} {:>15} {:>9} {:>9} {:>8} {:>8} {}\n", "provider", "model",
             "USD/Mtok in/out", "answers", "p95", "tokens/s", "errors", "state");
}

int list(const Context& context, const ProviderFlags& flags) {
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  Result<Session> session = Session::open(context, std::move(*config), {});
  if (!session) return report_error(session.error());
  Result<json::object> answer = session->api().get(std::string(kProviders));
  if (!answer) return report_error(answer.error());
  if (flags.as_json) {
    fmt::print("{}\n", json::serialize(*answer));
    return kExitOk;
  }
  const json::array& providers = answer->at("providers").as_array();
  if (providers.empty()) {
    fmt::print("No cloud provider is configured.\n");
  } else {
    fmt::print("prefer {}; at most {:g} % of requests are sent twice\n\n", text(*answer, "prefer"),
               100 * answer->at("hedge_budget").to_number<double>());
    print_heading();
  }
  for (const json::value& each : providers) {
    const json::object& provider = each.as_object();
    for (const json::value& model : provider.at("models").as_array()) {
      print_model(provider, model.as_object());
    }
    if (text(provider, "key") == "missing") {
      fmt::print("  {}\n", colored(stdout, Color::kYellow,
                                   fmt::format("needs a key: set {}", text(provider, "key_env"))));
    }
  }
  std::string known;
  for (const json::value& name : answer->at("known").as_array()) {
    known += fmt::format("{}{}", known.empty() ? "" : ", ", std::string_view(name.as_string()));
  }
  if (!known.empty()) {
    fmt::print(
        "\nAlso known: {}.\nTo use one: [[provider]] with its name in the configuration, and "
        "its key in the environment; see minimill providers show NAME.\n",
        known);
  }
  return kExitOk;
}

int show(const Context& context, const ProviderFlags& flags) {
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  Result<Session> session = Session::open(context, std::move(*config), {});
  if (!session) return report_error(session.error());
  const std::string path = fmt::format("{}/{}", kProviders, url_encoded(flags.name));
  Result<json::object> provider = session->api().get(path);
  if (!provider) return report_error(provider.error());
  if (flags.as_json) {
    fmt::print("{}\n", json::serialize(*provider));
    return kExitOk;
  }
  const bool configured = provider->at("configured").as_bool();
  fmt::print("{}{}\n", colored(stdout, Color::kBold, text(*provider, "name")),
             configured ? "" : " (known, not configured)");
  fmt::print("  {} protocol at {}\n", text(*provider, "protocol"), text(*provider, "base_url"));
  if (!text(*provider, "key_env").empty()) {
    fmt::print("  key in {}{}\n", text(*provider, "key_env"),
               configured && text(*provider, "key") == "missing" ? ", which is not set" : "");
  }
  if (!text(*provider, "prices_read").empty()) {
    fmt::print("  list prices as of {}\n", text(*provider, "prices_read"));
  }
  fmt::print("\n");
  print_heading();
  for (const json::value& model : provider->at("models").as_array()) {
    print_model(*provider, model.as_object());
  }
  return kExitOk;
}

int test(const Context& context, const ProviderFlags& flags) {
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  Result<Session> session = Session::open(context, std::move(*config), {});
  if (!session) return report_error(session.error());
  std::vector<std::string> names;
  if (!flags.name.empty()) {
    names.push_back(flags.name);
  } else {
    Result<json::object> all = session->api().get(std::string(kProviders));
    if (!all) return report_error(all.error());
    for (const json::value& provider : all->at("providers").as_array()) {
      names.emplace_back(text(provider.as_object(), "name"));
    }
  }
  json::array results;
  int code = kExitOk;
  for (const std::string& name : names) {
    const std::string path = fmt::format("{}/{}/test", kProviders, url_encoded(name));
    const json::value nothing = json::object{};
    Result<json::object> result = session->api().post(path, nothing);
    if (!result) return report_error(result.error());
    const bool ok = result->at("ok").as_bool();
    if (!ok) code = kExitFailed;
    if (flags.as_json) {
      results.emplace_back(std::move(*result));
      continue;
    }
    fmt::print("{:<12} {:<34} {}\n", name, text(*result, "model"),
               ok ? fmt::format("answered in {:.0f} ms", result->at("ms").to_number<double>())
                  : colored(stdout, Color::kRed, text(*result, "error")));
    if (!ok && !text(*result, "hint").empty()) fmt::print("  {}\n", text(*result, "hint"));
  }
  if (flags.as_json) {
    fmt::print("{}\n", json::serialize(json::object{{"results", std::move(results)}}));
  }
  return code;
}

int init(const Context& context, const ProviderFlags& flags) {
  const std::filesystem::path file = config::default_catalogue_path(context.environment);
  std::error_code ec;
  if (!flags.force && std::filesystem::exists(file, ec)) {
    return report_error({.code = ErrorCode::kConflict,
                         .message = fmt::format("{} is there already", file.string()),
                         .hint = "edit it, or write it anew with --force",
                         .field = {},
                         .retry_after = {}});
  }
  std::filesystem::create_directories(file.parent_path(), ec);
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << cloud::Catalogue::built_in_text();
  out.close();
  if (!out) {
    return report_error({.code = ErrorCode::kIo,
                         .message = fmt::format("cannot write {}", file.string()),
                         .hint = "is there room, and may you write there?",
                         .field = {},
                         .retry_after = {}});
  }
  fmt::print("{} written: what you change there holds when the daemon starts next\n",
             file.string());
  return kExitOk;
}

}  // namespace

void add_providers(CLI::App& app, Context& context) {
  auto flags = std::make_shared<ProviderFlags>();
  CLI::App* command = app.add_subcommand(
      "providers", "Cloud providers: which there are, what they cost, how they do");
  command->require_subcommand(0, 1);
  command->add_flag("--json", flags->as_json, "Print JSON");
  command->footer(
      "Examples:\n"
      "  minimill providers\n"
      "  minimill providers show groq\n"
      "  minimill providers test            one short request to each; costs next to nothing\n"
      "  minimill providers init            write the list of providers and prices, to be edited");
  const auto choose = [&context, flags](CLI::App* sub,
                                        int (*run)(const Context&, const ProviderFlags&)) {
    sub->callback([&context, flags, run] {
      context.chosen = [&context, flags, run] { return run(context, *flags); };
    });
  };
  command->callback([&context, flags, command] {
    if (!command->get_subcommands().empty()) return;
    context.chosen = [&context, flags] { return list(context, *flags); };
  });
  CLI::App* listing = command->add_subcommand("list", "All of them, with what was measured");
  listing->add_flag("--json", flags->as_json, "Print JSON");
  choose(listing, list);
  CLI::App* showing = command->add_subcommand("show", "One provider and its models");
  showing->add_option("name", flags->name, "Its name")->required();
  showing->add_flag("--json", flags->as_json, "Print JSON");
  choose(showing, show);
  CLI::App* writing =
      command->add_subcommand("init", "Write the built-in list where you may edit it");
  writing->add_flag("--force", flags->force, "Over what is there");
  choose(writing, init);
  CLI::App* testing = command->add_subcommand("test", "Send each, or one, a short request");
  testing->add_option("name", flags->name, "Its name; all otherwise");
  testing->add_flag("--json", flags->as_json, "Print JSON");
  choose(testing, test);
}

}  // namespace minimill::cli
