#include <fmt/format.h>

#include "base/json.h"
#include "cli/api_command.h"
#include "config/data_folder.h"
#include "policy/app_store.h"

namespace minimill::cli {
namespace {

struct BudgetFlags {
  std::string app;
  std::string operation;
  std::optional<double> usd_per_day;
  std::optional<double> usd_per_month;
  std::optional<double> soft;
  bool as_json = false;
};

/// Of what the flags say the budget is.
policy::Budget named(const BudgetFlags& flags) {
  policy::Budget budget;
  if (!flags.app.empty()) {
    budget.scope = policy::BudgetScope::kApp;
    budget.of = flags.app;
  } else if (!flags.operation.empty()) {
    budget.scope = policy::BudgetScope::kOperation;
    budget.of = flags.operation;
  }
  return budget;
}

int set(const Context& context, const BudgetFlags& flags) {
  Result<policy::AppStore> store = open_app_store(context);
  if (!store) return report_error(store.error());
  policy::Budget budget = named(flags);
  for (const policy::Budget& known : store->budgets()) {
    if (known.scope == budget.scope && known.of == budget.of) budget = known;
  }
  if (flags.usd_per_day) budget.usd_per_day = flags.usd_per_day;
  if (flags.usd_per_month) budget.usd_per_month = flags.usd_per_month;
  if (flags.soft) budget.soft = *flags.soft;
  if (Result<> saved = store->set(budget); !saved) return report_error(saved.error());
  fmt::print("The budget of {} is set; it holds at once.\n",
             policy::to_string(budget.scope, budget.of));
  return kExitOk;
}

int remove(const Context& context, const BudgetFlags& flags) {
  Result<policy::AppStore> store = open_app_store(context);
  if (!store) return report_error(store.error());
  const policy::Budget budget = named(flags);
  if (Result<> gone = store->remove_budget(budget.scope, budget.of); !gone) {
    return report_error(gone.error());
  }
  fmt::print("The budget of {} is removed.\n", policy::to_string(budget.scope, budget.of));
  return kExitOk;
}

std::string usd(const json::object& budget, std::string_view spent, std::string_view limit) {
  const json::value* most = budget.if_contains(limit);
  if (most == nullptr || most->is_null()) return "-";
  return fmt::format("{:.4f} of {:.2f}", budget.at(spent).to_number<double>(),
                     most->to_number<double>());
}

void print_list(const json::object& answer) {
  const json::array& budgets = answer.at("budgets").as_array();
  if (budgets.empty()) {
    fmt::print(
        "There is no budget: the cloud may cost any sum.\n"
        "Set one with: minimill budget set --usd-per-day 1\n");
    return;
  }
  fmt::print("{:<10} {:<28} {:>22} {:>22} {:>6}\n", "budget of", "", "USD today", "USD this month",
             "soft");
  for (const json::value& each : budgets) {
    const json::object& budget = each.as_object();
    fmt::print("{:<10} {:<28} {:>22} {:>22} {:>5.0f}%\n",
               std::string_view(budget.at("scope").as_string()),
               std::string_view(budget.at("of").as_string()),
               usd(budget, "spent_today_usd", "usd_per_day"),
               usd(budget, "spent_this_month_usd", "usd_per_month"),
               100 * budget.at("soft").to_number<double>());
  }
}

int list(const Context& context, const BudgetFlags& flags) {
  auto call = [](ApiClient& api) { return api.get("/minimill/v1/budgets"); };
  return with_api(context, flags.as_json, call, print_list);
}

void add_scope(CLI::App& command, BudgetFlags& flags) {
  CLI::Option* app =
      command.add_option("--app", flags.app, "Of this app (tasks of the queue: tasks)");
  command
      .add_option("--operation", flags.operation, "Of this operation (see minimill router show)")
      ->excludes(app);
}

}  // namespace

void add_budget(CLI::App& app, Context& context) {
  auto flags = std::make_shared<BudgetFlags>();
  CLI::App* command =
      app.add_subcommand("budget", "What the cloud may cost: of all, an app, an operation");
  command->require_subcommand(0, 1);
  command->add_flag("--json", flags->as_json, "Print JSON");
  command->callback([command, &context, flags] {
    if (!command->get_subcommands().empty()) return;
    context.chosen = [&context, flags] { return list(context, *flags); };
  });
  command->footer(
      "From the soft limit on the router asks less of the device; at the hard one the cloud is "
      "closed\n"
      "until the day or the month (UTC) ends. Without a subcommand the budgets are listed.\n"
      "Examples:\n"
      "  minimill budget set --usd-per-day 2\n"
      "  minimill budget set --app mail --usd-per-month 5 --soft 0.5\n"
      "  minimill budget list");
  CLI::App* setting = command->add_subcommand("set", "Set a budget, or change it");
  add_scope(*setting, *flags);
  setting->add_option("--usd-per-day", flags->usd_per_day, "At most so much a day");
  setting->add_option("--usd-per-month", flags->usd_per_month, "At most so much a month");
  setting->add_option("--soft", flags->soft, "The share at which the router begins to save (0.8)");
  run_on_choice(setting, context, flags, set);
  add_action(command, context, flags, "list", "Budgets, and what has been spent of them", list);
  CLI::App* removing = command->add_subcommand("remove", "Take a budget away");
  add_scope(*removing, *flags);
  run_on_choice(removing, context, flags, remove);
}

}  // namespace minimill::cli
