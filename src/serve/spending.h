#pragma once

// Budgets where requests are decided: tells the router what a piece of work may cost, and follows
// in the ledger what everything did cost. Event-loop thread only.

#include <functional>
#include <optional>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "ledger/ledger.h"
#include "policy/budgets.h"
#include "route/router.h"

namespace minimill::serve {

class Spending {
 public:
  /// What was spent this month is read from the ledger.
  Spending(const Clock& clock, policy::AppStore& store, ledger::Ledger& ledger,
           const route::Router& router);

  /// What is left of the budgets of a piece of work; unset: any sum.
  struct Left {
    double usd = 0;
    Error too_dear;  // what to say of work that would cost more
  };
  /// Puts into `input`, of which everything else is known, how tight its budgets are.
  std::optional<Left> weigh(route::RouteInput& input);
  /// Notices what other programs have changed, at most every 200 ms.
  void look_again();
  /// Called when a budget or an app has been changed.
  void on_change(std::function<void()> changed) { changed_ = std::move(changed); }
  /// What is under way counts as spent.
  policy::Budgets::Hold hold(std::string_view app, std::string_view operation, double usd) {
    return budgets_.hold(app, operation, usd);
  }
  const policy::Budgets& budgets() const { return budgets_; }

 private:
  const Clock& clock_;
  policy::AppStore& store_;
  const route::Router& router_;
  policy::Budgets budgets_;
  SteadyTime look_at_{};
  std::uint64_t changes_ = 0;
  std::function<void()> changed_;
};

}  // namespace minimill::serve
