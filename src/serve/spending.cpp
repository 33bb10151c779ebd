#include "serve/spending.h"

#include <chrono>
#include <utility>

#include "base/log.h"

namespace minimill::serve {
Spending::Spending(const Clock& clock, const policy::AppStore& store, policy::Admission& admission,
                   ledger::Ledger& ledger, const route::Router& router)
    : admission_(admission), router_(router), budgets_(clock, store) {
  const std::chrono::year_month_day today(std::chrono::floor<std::chrono::days>(clock.wall()));
  const Result<std::vector<ledger::DayCost>> spent =
      ledger.costs(std::chrono::sys_days(today.year() / today.month() / 1));
  if (spent) {
    for (const ledger::DayCost& each : *spent) {
      budgets_.spend(each.app, each.operation, each.cost_usd, each.day);
    }
  } else {
    log::error("what has been spent cannot be read: {}", spent.error().to_string());
  }
}

void Spending::ended(const ledger::RequestRecord& record) {
  double usd = 0;
  for (const ledger::Attempt& attempt : record.attempts) usd += attempt.cost_usd;
  if (usd > 0) budgets_.spend(record.app, record.decision.operation, usd, record.at);
}

std::optional<Spending::Left> Spending::weigh(route::RouteInput& input) {
  (void)admission_.refresh();
  const std::string operation = budgets_.by_operation() ? router_.operation_of(input) : "";
  policy::Standing standing = budgets_.standing(input.app, operation);
  input.pressure = standing.pressure;
  input.pressed_by = std::move(standing.tightest);
  input.cloud_closed = std::move(standing.closed);
  if (!standing.left_usd) return std::nullopt;
  return Left{.usd = *standing.left_usd, .too_dear = std::move(*standing.too_dear)};
}

Result<std::optional<Spending::Left>> Spending::left(std::string_view app,
                                                     std::string_view operation) const {
  policy::Standing standing = budgets_.standing(app, operation);
  if (standing.closed) return std::unexpected(std::move(*standing.closed));
  if (!standing.left_usd) return std::nullopt;
  return Left{.usd = *standing.left_usd, .too_dear = std::move(*standing.too_dear)};
}

}  // namespace minimill::serve
