#include "serve/spending.h"

#include <chrono>
#include <utility>

#include "base/log.h"

namespace minimill::serve {
namespace {

constexpr std::chrono::milliseconds kLookAgain{200};  // whether another program changed a budget

}  // namespace

Spending::Spending(const Clock& clock, policy::AppStore& store, ledger::Ledger& ledger,
                   const route::Router& router)
    : clock_(clock),
      store_(store),
      router_(router),
      budgets_(clock, store),
      changes_(store.changes()) {
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
  ledger.observe([this](const ledger::RequestRecord& record) {
    double usd = 0;
    for (const ledger::Attempt& attempt : record.attempts) usd += attempt.cost_usd;
    if (usd > 0) budgets_.spend(record.app, record.decision.operation, usd, record.at);
  });
}

void Spending::look_again() {
  const SteadyTime now = clock_.steady();
  if (now < look_at_) return;
  look_at_ = now + kLookAgain;
  if (const Result<> read = store_.refresh(); !read) {
    log::error("the budgets cannot be read again: {}", read.error().to_string());
  }
  if (store_.changes() == changes_) return;
  changes_ = store_.changes();
  if (changed_) changed_();
}

std::optional<Spending::Left> Spending::weigh(route::RouteInput& input) {
  look_again();
  const std::string operation = budgets_.by_operation() ? router_.operation_of(input) : "";
  policy::Standing standing = budgets_.standing(input.app, operation);
  input.pressure = standing.pressure;
  input.pressed_by = std::move(standing.tightest);
  input.cloud_closed = std::move(standing.closed);
  if (!standing.left_usd) return std::nullopt;
  return Left{.usd = *standing.left_usd, .too_dear = std::move(*standing.too_dear)};
}

}  // namespace minimill::serve
