#pragma once

// What has been spent of every budget, and what that allows. What is under way counts with its
// estimate until its true cost is known, so that a hundred requests at once cannot each spend what
// is left.
//
//   Standing standing = budgets.standing("mail", "triage");
//   if (standing.closed) …                                  // the cloud lane is closed to it
//   Hold hold = budgets.hold("mail", "triage", 0.002);      // until the answer is there
//   budgets.spend("mail", "triage", 0.0017, now);
//
// In memory; the ledger knows what was spent before. Budgets are read from the AppStore at every
// question, so that one that is changed holds at once. Event-loop thread only.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "policy/app_store.h"
#include "policy/budget.h"

namespace minimill::policy {

/// Money by UTC's calendar.
struct Spent {
  double day_usd = 0;
  double month_usd = 0;
};

struct Standing {
  std::optional<double> left_usd;  // of the tightest budget, estimates of what runs taken off
  std::optional<Error>
      too_dear;  // kRateLimited: what to say of work that would cost more than that
  /// How far between the soft limit and the hard one the tightest budget is, 0 to 1.
  double pressure = 0;
  std::string tightest;         // which one that is, for people
  std::optional<Error> closed;  // kRateLimited until the day or the month ends: nothing is left
};

class Budgets {
  struct Accounts;

 public:
  Budgets(const Clock& clock, const AppStore& store);

  void spend(std::string_view app, std::string_view operation, double usd, WallTime at);
  Standing standing(std::string_view app, std::string_view operation) const;
  Spent spent(BudgetScope scope, std::string_view of) const;
  /// Budgets of operations are there at all: otherwise it need not be known which one a request is.
  bool by_operation() const;

  /// An estimate that counts as spent while this lives.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept = default;
    Hold& operator=(Hold&& other) noexcept;
    ~Hold() { release(); }

   private:
    friend class Budgets;
    void release();
    std::weak_ptr<Accounts> accounts_;
    std::vector<std::string> keys_;
    double usd_ = 0;
  };
  Hold hold(std::string_view app, std::string_view operation, double usd);

 private:
  const Clock& clock_;
  const AppStore& store_;
  std::shared_ptr<Accounts> accounts_;
};

}  // namespace minimill::policy
