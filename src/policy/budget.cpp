#include "policy/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace minimill::policy {
namespace {

constexpr std::array<std::string_view, 3> kScopes{"all", "app", "operation"};
constexpr std::size_t kMaxNameBytes = 128;
constexpr double kMaxUsd = 1e9;

}  // namespace

std::string_view name(BudgetScope scope) { return kScopes[static_cast<std::size_t>(scope)]; }

Result<BudgetScope> parse_budget_scope(std::string_view text) {
  const auto found = std::ranges::find(kScopes, text);
  if (found != kScopes.end()) return static_cast<BudgetScope>(found - kScopes.begin());
  return fail_field("scope", fmt::format("a budget is not of '{}'", text),
                    "use all, app or operation");
}

Result<> check(const Budget& budget) {
  const bool named = !budget.of.empty();
  if (named == (budget.scope == BudgetScope::kAll) || budget.of.size() > kMaxNameBytes) {
    return fail_field("of", "a budget is of all, or of one app or operation by its name");
  }
  for (const auto& [field, usd] : {std::pair("usd_per_day", budget.usd_per_day),
                                   std::pair("usd_per_month", budget.usd_per_month)}) {
    if (usd && !(*usd >= 0 && *usd <= kMaxUsd)) {
      return fail_field(field, fmt::format("must be from 0 to {:g} USD", kMaxUsd));
    }
  }
  if (!budget.usd_per_day && !budget.usd_per_month) {
    return fail_field("usd_per_day", "a budget says how much a day or a month may cost");
  }
  if (!(budget.soft > 0 && budget.soft <= 1)) {
    return fail_field("soft", "must be a share above 0, at most 1");
  }
  return {};
}

std::string to_string(BudgetScope scope, std::string_view of) {
  return scope == BudgetScope::kAll ? "all" : fmt::format("{} {}", name(scope), of);
}

}  // namespace minimill::policy
