#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json.hpp>

#include "base/rfc3339.h"
#include "cli/command.h"
#include "policy/app_store.h"

namespace minimill::cli {
namespace {

namespace json = boost::json;

struct KeyFlags {
  std::string app;
  std::optional<std::int64_t> requests_per_minute;
  std::optional<double> usd_per_day;
  std::optional<double> usd_per_month;
  std::string lane;
  std::vector<std::string> models;
  std::string privacy;
  std::string removed;
  bool as_json = false;
};

/// The app as it is stored, with what the flags change; "any" takes a limit away.
Result<policy::App> changed(const policy::AppStore& store, const KeyFlags& flags) {
  policy::App app;
  if (const policy::App* known = store.named(flags.app)) app = *known;
  app.name = flags.app;
  if (flags.requests_per_minute) app.requests_per_minute = flags.requests_per_minute;
  if (flags.usd_per_day) app.usd_per_day = flags.usd_per_day;
  if (flags.usd_per_month) app.usd_per_month = flags.usd_per_month;
  if (flags.lane == "local") app.lane = chat::Lane::kLocal;
  if (flags.lane == "cloud") app.lane = chat::Lane::kCloud;
  if (flags.lane == "any") app.lane.reset();
  if (!flags.models.empty()) app.models = flags.models;
  if (app.models == std::vector<std::string>{"any"}) app.models.clear();
  if (flags.privacy.empty()) return app;
  Result<policy::Privacy> privacy = policy::parse_privacy(flags.privacy, "--privacy");
  if (!privacy) return std::unexpected(std::move(privacy.error()));
  app.privacy = *privacy;
  return app;
}

int add(const Context& context, const KeyFlags& flags) {
  Result<policy::AppStore> store = open_app_store(context);
  if (!store) return report_error(store.error());
  Result<policy::App> app = changed(*store, flags);
  if (!app) return report_error(app.error());
  Result<std::string> key = store->add_key(*app, SystemClock().wall());
  if (!key) return report_error(key.error());
  fmt::print("{}\n", *key);
  fmt::print(stderr, "This key of '{}' is shown only now. Apps send it as their API key.\n",
             app->name);
  return kExitOk;
}

int set(const Context& context, const KeyFlags& flags) {
  Result<policy::AppStore> store = open_app_store(context);
  if (!store) return report_error(store.error());
  Result<policy::App> app = changed(*store, flags);
  if (!app) return report_error(app.error());
  if (Result<> saved = store->set(*app); !saved) return report_error(saved.error());
  fmt::print("{} is changed\n", app->name);
  return kExitOk;
}

int remove(const Context& context, const KeyFlags& flags) {
  Result<policy::AppStore> store = open_app_store(context);
  if (!store) return report_error(store.error());
  const bool is_key = flags.removed.starts_with("mm-");
  const Result<> removed =
      is_key ? store->remove_key(flags.removed) : store->remove_app(flags.removed);
  if (!removed) return report_error(removed.error());
  fmt::print("{} is removed\n", flags.removed);
  return kExitOk;
}

template <class T>
json::value or_null(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value();
}

json::object to_json(const policy::App& app, const std::vector<policy::KeyInfo>& keys) {
  json::array own;
  for (const policy::KeyInfo& key : keys) {
    if (key.app == app.name) own.push_back({{"id", key.id}, {"made_at", rfc3339(key.made_at)}});
  }
  return {{"app", app.name},
          {"keys", std::move(own)},
          {"requests_per_minute", or_null(app.requests_per_minute)},
          {"usd_per_day", or_null(app.usd_per_day)},
          {"usd_per_month", or_null(app.usd_per_month)},
          {"lane", app.lane ? json::value(chat::name(*app.lane)) : json::value()},
          {"models", json::array(app.models.begin(), app.models.end())},
          {"privacy", app.privacy ? json::value(policy::name(*app.privacy)) : json::value()}};
}

std::string limits_of(const policy::App& app) {
  std::vector<std::string> limits;
  if (app.requests_per_minute)
    limits.push_back(fmt::format("{} a minute", *app.requests_per_minute));
  if (app.usd_per_day) limits.push_back(fmt::format("{:.2f} USD a day", *app.usd_per_day));
  if (app.usd_per_month) limits.push_back(fmt::format("{:.2f} USD a month", *app.usd_per_month));
  if (app.lane) limits.push_back(fmt::format("{} only", chat::name(*app.lane)));
  if (!app.models.empty()) limits.push_back(fmt::format("models {}", fmt::join(app.models, " ")));
  if (app.privacy) limits.emplace_back(policy::name(*app.privacy));
  return limits.empty() ? "no limits" : fmt::format("{}", fmt::join(limits, ", "));
}

int list(const Context& context, const KeyFlags& flags) {
  Result<policy::AppStore> store = open_app_store(context);
  if (!store) return report_error(store.error());
  const std::vector<policy::KeyInfo> keys = store->keys();
  if (flags.as_json) {
    json::array listed;
    for (const policy::App& app : store->apps()) listed.push_back(to_json(app, keys));
    fmt::print("{}\n", json::serialize(json::object{{"apps", std::move(listed)}}));
    return kExitOk;
  }
  if (store->apps().empty()) {
    fmt::print(
        "No app has a key: every program of this machine is let in.\n"
        "Make one with: minimill key add APP\n");
    return kExitOk;
  }
  for (const policy::App& app : store->apps()) {
    fmt::print("{}: {}\n", app.name, limits_of(app));
    for (const policy::KeyInfo& key : keys) {
      if (key.app == app.name) fmt::print("  {}…  {}\n", key.id, rfc3339(key.made_at));
    }
  }
  return kExitOk;
}

void add_limits(CLI::App& command, KeyFlags& flags) {
  command.add_option("app", flags.app, "The app's name")->required();
  command.add_option("--requests-per-minute", flags.requests_per_minute, "At most so many");
  command.add_option("--usd-per-day", flags.usd_per_day, "Cloud costs at most so much a day (UTC)");
  command.add_option("--usd-per-month", flags.usd_per_month, "And so much a month");
  command.add_option("--lane", flags.lane, "The only lane it may use")
      ->check(CLI::IsMember({"local", "cloud", "any"}));
  command.add_option("--model", flags.models,
                     "A name it may ask for ('auto', 'gpt-*'), repeatable; 'any' for all");
  command.add_option("--privacy", flags.privacy, "Of its requests that say nothing of it")
      ->check(CLI::IsMember({"local-only", "allow"}));
}

}  // namespace

void add_key(CLI::App& app, Context& context) {
  auto flags = std::make_shared<KeyFlags>();
  CLI::App* command = app.add_subcommand("key", "Apps and their keys, limits and budgets");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  minimill key add mail --usd-per-month 5 --requests-per-minute 30\n"
      "  minimill key set mail --lane local\n"
      "  minimill key list\n"
      "  minimill key remove mail");
  CLI::App* adding =
      command->add_subcommand("add", "Make a key; the app is made or changed with it");
  add_limits(*adding, *flags);
  run_on_choice(adding, context, flags, add);
  CLI::App* setting = command->add_subcommand("set", "Change what an app may");
  add_limits(*setting, *flags);
  run_on_choice(setting, context, flags, set);
  CLI::App* listing = command->add_subcommand("list", "Apps and keys there are");
  listing->add_flag("--json", flags->as_json, "Print JSON");
  run_on_choice(listing, context, flags, list);
  CLI::App* removing = command->add_subcommand("remove", "Take an app's keys back, or one key");
  removing->add_option("name", flags->removed, "The app's name, or a key's id (mm-…)")->required();
  run_on_choice(removing, context, flags, remove);
}

}  // namespace minimill::cli
