#include "api/budget_api.h"

#include <utility>

#include "api/json_response.h"

namespace minimill::api {
namespace {

namespace json = boost::json;

constexpr int kOk = 200;

json::value or_null(const std::optional<double>& usd) {
  return usd ? json::value(*usd) : json::value(nullptr);
}

json::object to_json(const policy::Budget& budget, const policy::Spent& spent) {
  return {{"scope", policy::name(budget.scope)},
          {"of", budget.of},
          {"usd_per_day", or_null(budget.usd_per_day)},
          {"usd_per_month", or_null(budget.usd_per_month)},
          {"soft", budget.soft},
          {"spent_today_usd", spent.day_usd},
          {"spent_this_month_usd", spent.month_usd}};
}

}  // namespace

void BudgetApi::add_to(Routes& routes) {
  routes.add("GET", "/minimill/v1/budgets",
             {"Budgets, and what has been spent of them", Who::kOwner},
             [this](http::Request&, http::Responder& out, const PathParts&) { return list(out); });
}

asio::awaitable<void> BudgetApi::list(http::Responder& out) {
  const Result<> read = store_.refresh();
  if (!read) {
    co_await send_json_error(read.error(), out);
    co_return;
  }
  const policy::Budgets& budgets = spending_.budgets();
  json::array listed;
  for (const policy::Budget& budget : store_.budgets()) {
    listed.push_back(to_json(budget, budgets.spent(budget.scope, budget.of)));
  }
  for (const policy::App& app : store_.apps()) {
    if (!app.usd_per_day && !app.usd_per_month) continue;
    const policy::Budget own{.scope = policy::BudgetScope::kApp,
                             .of = app.name,
                             .usd_per_day = app.usd_per_day,
                             .usd_per_month = app.usd_per_month,
                             .soft = 1};
    listed.push_back(to_json(own, budgets.spent(own.scope, own.of)));
  }
  const json::value answer = json::object{{"budgets", std::move(listed)}};
  co_await send_json(kOk, answer, out);
}

}  // namespace minimill::api
