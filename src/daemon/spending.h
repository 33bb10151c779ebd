#pragma once

// Budgets where requests are decided: tells the router what a piece of work may cost, and follows
// in the ledger what everything did cost. Event-loop thread only.

#include <optional>
#include <string_view>

#include "apps/budgets.h"
#include "base/clock.h"
#include "ledger/ledger.h"
#include "route/router.h"

namespace minimill::daemon {

class Spending {
 public:
  /// What was spent this month is read from the ledger.
  Spending(const Clock& clock, apps::AppStore& store, ledger::Ledger& ledger,
           const route::Router& router);

  /// Puts into `input`, of which everything else is known, how tight its budgets are. What is left
  /// of them is returned; unset: any sum.
  std::optional<double> weigh(route::RouteInput& input);
  /// What is under way counts as spent.
  apps::Budgets::Hold hold(std::string_view app, std::string_view operation, double usd) {
    return budgets_.hold(app, operation, usd);
  }
  const apps::Budgets& budgets() const { return budgets_; }

 private:
  const Clock& clock_;
  apps::AppStore& store_;
  const route::Router& router_;
  apps::Budgets budgets_;
  SteadyTime look_at_{};
};

}  // namespace minimill::daemon
