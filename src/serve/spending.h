#pragma once

// Budgets where requests are decided: tells the router what a piece of work may cost, and follows
// in the ledger what everything did cost. Event-loop thread only.

#include <optional>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "ledger/ledger.h"
#include "policy/admission.h"
#include "policy/budgets.h"
#include "route/router.h"
#include "serve/observer.h"

namespace minimill::serve {

class Spending final : public Observer {
 public:
  /// What was spent this month is read from the ledger.
  Spending(const Clock& clock, const policy::AppStore& store, policy::Admission& admission,
           ledger::Ledger& ledger, const route::Router& router);

  void ended(const ledger::RequestRecord& record) override;

  /// What is left of the budgets of a piece of work; unset: any sum.
  struct Left {
    double usd = 0;
    Error too_dear;  // what to say of work that would cost more
  };
  /// Puts into `input`, of which everything else is known, how tight its budgets are.
  std::optional<Left> weigh(route::RouteInput& input);
  /// The same without telling the router. An error: nothing is left.
  Result<std::optional<Left>> left(std::string_view app, std::string_view operation) const;
  /// What is under way counts as spent.
  policy::Budgets::Hold hold(std::string_view app, std::string_view operation, double usd) {
    return budgets_.hold(app, operation, usd);
  }
  const policy::Budgets& budgets() const { return budgets_; }

 private:
  policy::Admission& admission_;
  const route::Router& router_;
  policy::Budgets budgets_;
};

}  // namespace minimill::serve
