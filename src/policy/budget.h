#pragma once

// What the cloud may cost: a budget of all, of an app or of an operation, by UTC's days and months.

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill::policy {

enum class BudgetScope { kAll, kApp, kOperation };
std::string_view name(BudgetScope scope);  // "all", "app", "operation"
Result<BudgetScope> parse_budget_scope(std::string_view text);

struct Budget {
  BudgetScope scope = BudgetScope::kAll;
  std::string of = {};                     // the app's or the operation's name; "" for all
  std::optional<double> usd_per_day = {};  // unset: any sum
  std::optional<double> usd_per_month = {};
  /// The share of either from which on the router asks less of the device; 1: it never does.
  double soft = 0.8;
  bool operator==(const Budget&) const = default;
};

/// kInvalidArgument, naming the field, for what is no budget.
Result<> check(const Budget& budget);

/// "all", "app mail", "operation triage".
std::string to_string(BudgetScope scope, std::string_view of);

}  // namespace minimill::policy
