#include "policy/budgets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <utility>

namespace minimill::policy {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMostAccounts = 10'000;  // names come from outside
constexpr double kAnySum = std::numeric_limits<double>::infinity();
constexpr std::string_view kHint =
    "wait, ask for 'local', or raise it: minimill budget set (of an app with a key: minimill key "
    "set)";

std::int64_t day_of(WallTime at) {
  return std::chrono::floor<std::chrono::days>(at).time_since_epoch().count();
}

std::chrono::year_month month_at(WallTime at) {
  const std::chrono::year_month_day date(std::chrono::floor<std::chrono::days>(at));
  return date.year() / date.month();
}

std::int64_t month_of(WallTime at) {
  constexpr int kMonths = 12;
  const std::chrono::year_month month = month_at(at);
  return std::int64_t{static_cast<int>(month.year())} * kMonths +
         static_cast<unsigned>(month.month());
}

milliseconds until_tomorrow(WallTime now) {
  const auto tomorrow = std::chrono::floor<std::chrono::days>(now) + std::chrono::days{1};
  return std::chrono::duration_cast<milliseconds>(tomorrow - now);
}

milliseconds until_next_month(WallTime now) {
  const auto next = month_at(now) + std::chrono::months{1};
  return std::chrono::duration_cast<milliseconds>(std::chrono::sys_days(next / 1) - now);
}

std::string key_of(BudgetScope scope, std::string_view of) {
  return fmt::format("{}:{}", name(scope), of);
}

/// Whose accounts a request's money goes to.
std::vector<std::string> keys_of(std::string_view app, std::string_view operation) {
  std::vector<std::string> keys{key_of(BudgetScope::kAll, "")};
  if (!app.empty()) keys.push_back(key_of(BudgetScope::kApp, app));
  if (!operation.empty()) keys.push_back(key_of(BudgetScope::kOperation, operation));
  return keys;
}

struct Account {
  std::int64_t day = 0;    // since 1970
  std::int64_t month = 0;  // since year 0
  Spent spent;
  double held_usd = 0;

  /// What belongs to an earlier day or month is taken out. Time that goes back (a clock set right)
  /// opens no new day.
  void turn(WallTime at) {
    if (day_of(at) > day) {
      day = day_of(at);
      spent.day_usd = 0;
    }
    if (month_of(at) > month) {
      month = month_of(at);
      spent.month_usd = 0;
    }
  }
};

Error closed_error(const Budget& budget, double usd, std::string_view period, milliseconds wait) {
  return {.code = ErrorCode::kRateLimited,
          .message = fmt::format("the budget of {} is spent: {:.2f} USD {}",
                                 to_string(budget.scope, budget.of), usd, period),
          .hint = std::string(kHint),
          .field = {},
          .retry_after = wait};
}

Error too_dear_error(const Budget& budget, double left_usd, double usd, std::string_view period,
                     milliseconds wait) {
  return {.code = ErrorCode::kRateLimited,
          .message =
              fmt::format("it would cost more than the {:.4f} USD that are left of the {:.2f} {} "
                          "in the budget of {}",
                          left_usd, usd, period, to_string(budget.scope, budget.of)),
          .hint = std::string(kHint),
          .field = {},
          .retry_after = wait};
}

}  // namespace

struct Budgets::Accounts {
  std::map<std::string, Account, std::less<>> of;

  Account& at(const std::string& key, WallTime now) {
    // Whoever makes up names gets no memory for them; nothing with a budget is forgotten so.
    if (of.size() >= kMostAccounts && !of.contains(key)) {
      std::erase_if(of, [](const auto& each) {
        return each.second.spent.month_usd == 0 && each.second.held_usd <= 0;
      });
    }
    Account& account = of[key];
    account.turn(now);
    return account;
  }
};

Budgets::Budgets(const Clock& clock, const AppStore& store)
    : clock_(clock), store_(store), accounts_(std::make_shared<Accounts>()) {}

void Budgets::spend(std::string_view app, std::string_view operation, double usd, WallTime at) {
  for (const std::string& key : keys_of(app, operation)) {
    Account& account = accounts_->at(key, at);
    if (day_of(at) == account.day) account.spent.day_usd += usd;
    if (month_of(at) == account.month) account.spent.month_usd += usd;
  }
}

Spent Budgets::spent(BudgetScope scope, std::string_view of) const {
  return accounts_->at(key_of(scope, of), clock_.wall()).spent;
}

bool Budgets::by_operation() const {
  return std::ranges::any_of(store_.budgets(), [](const Budget& budget) {
    return budget.scope == BudgetScope::kOperation;
  });
}

Standing Budgets::standing(std::string_view app, std::string_view operation) const {
  Standing standing;
  const WallTime now = clock_.wall();
  const auto weigh = [&](const Budget& budget) {
    const Account& account = accounts_->at(key_of(budget.scope, budget.of), now);
    struct Period {
      std::optional<double> usd;
      double spent_usd;
      std::string_view name;
      milliseconds ends_in;
    };
    const std::array<Period, 2> periods{
        Period{budget.usd_per_month, account.spent.month_usd, "of this month",
               until_next_month(now)},
        Period{budget.usd_per_day, account.spent.day_usd, "of today", until_tomorrow(now)}};
    for (const Period& period : periods) {
      if (!period.usd) continue;
      const double used = period.spent_usd + account.held_usd;
      const double left = std::max(*period.usd - used, 0.0);
      if (left < standing.left_usd.value_or(kAnySum)) {
        standing.left_usd = left;
        standing.too_dear = too_dear_error(budget, left, *period.usd, period.name, period.ends_in);
      }
      if (period.spent_usd >= *period.usd && !standing.closed) {
        standing.closed = closed_error(budget, *period.usd, period.name, period.ends_in);
      }
      const double soft = budget.soft * *period.usd;
      if (used <= soft || budget.soft >= 1) continue;
      const double pressure = std::min((used - soft) / (*period.usd - soft), 1.0);
      if (pressure <= standing.pressure) continue;
      standing.pressure = pressure;
      standing.tightest =
          fmt::format("{:.0f} % of the {:.2f} USD {} of {}", 100 * used / *period.usd, *period.usd,
                      period.name, to_string(budget.scope, budget.of));
    }
  };
  for (const Budget& budget : store_.budgets()) {
    const bool fits = budget.scope == BudgetScope::kAll ||
                      (budget.scope == BudgetScope::kApp && budget.of == app) ||
                      (budget.scope == BudgetScope::kOperation && budget.of == operation);
    if (fits) weigh(budget);
  }
  // What an app was given with its key has no soft limit.
  if (const App* known = store_.named(app); known != nullptr) {
    weigh({.scope = BudgetScope::kApp,
           .of = known->name,
           .usd_per_day = known->usd_per_day,
           .usd_per_month = known->usd_per_month,
           .soft = 1});
  }
  return standing;
}

Budgets::Hold Budgets::hold(std::string_view app, std::string_view operation, double usd) {
  Hold hold;
  hold.accounts_ = accounts_;
  hold.keys_ = keys_of(app, operation);
  hold.usd_ = usd;
  for (const std::string& key : hold.keys_) accounts_->at(key, clock_.wall()).held_usd += usd;
  return hold;
}

Budgets::Hold& Budgets::Hold::operator=(Hold&& other) noexcept {
  if (this == &other) return *this;
  release();
  accounts_ = std::exchange(other.accounts_, {});
  keys_ = std::exchange(other.keys_, {});
  usd_ = other.usd_;
  return *this;
}

void Budgets::Hold::release() {
  const auto accounts = accounts_.lock();
  if (accounts) {
    for (const std::string& key : keys_) accounts->of[key].held_usd -= usd_;
  }
  keys_.clear();
}

}  // namespace minimill::policy
