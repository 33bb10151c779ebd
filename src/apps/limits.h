#pragma once

// What apps have used of what they may: requests per minute, and money per day and month. In
// memory; the ledger knows what was spent before. Event-loop thread only.

#include <map>
#include <string>
#include <string_view>

#include "apps/app.h"
#include "base/clock.h"

namespace minimill::apps {

/// Money by UTC's calendar.
struct Spent {
  double day_usd = 0;
  double month_usd = 0;
};

class Limits {
 public:
  explicit Limits(const Clock& clock) : clock_(clock) {}

  /// Takes one request out of the app's minute; a bucket that fills evenly, so that what was not
  /// used may come at once. kRateLimited says when the next may come.
  Result<> take_request(const App& app);

  /// kRateLimited, until the day or the month ends, where nothing is left.
  Result<> check_budget(const App& app);
  /// What may still be spent; unset: any sum.
  std::optional<double> left_usd(const App& app);

  void spend(std::string_view app, double usd, WallTime at);
  Spent spent(std::string_view app);

 private:
  struct Bucket {
    double requests = 0;
    SteadyTime filled_at{};
  };
  struct Account {
    std::int64_t day = 0;    // since 1970
    std::int64_t month = 0;  // since year 0
    Spent spent;
  };

  /// With what belongs to an earlier day or month taken out.
  Account& account(std::string_view app, WallTime at);

  const Clock& clock_;
  std::map<std::string, Bucket, std::less<>> buckets_;
  std::map<std::string, Account, std::less<>> accounts_;
};

}  // namespace minimill::apps
