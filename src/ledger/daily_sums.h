#pragma once

// What is left of requests once they are pruned: sums by day (UTC), app, operation, lane and
// provider. Budgets, totals and reports of the past add them to what is still there.

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "sqlite/database.h"

namespace minimill::ledger {

/// Its own migrations; run after migrate_ledger().
Result<> migrate_daily_sums(sqlite::Database& db);

struct DailySum {
  WallTime day{};  // its beginning
  std::string app;
  std::string operation;
  int lane = 0;
  std::string provider;       // or engine; of a request: which was asked last, "" where none was
  std::int64_t requests = 0;  // decided for this lane
  std::int64_t errors = 0;    // of them, those whose app got an HTTP error
  std::int64_t attempts = 0;
  std::int64_t answered = 0;  // requests that got an answer here
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  double cost_usd = 0;
  std::int64_t checked = 0;  // requests with a check on their answer
  std::int64_t passed = 0;

  bool operator==(const DailySum&) const = default;
};

/// Of all days since `since`, pruned or not, oldest first.
Result<std::vector<DailySum>> daily_sums(sqlite::Database& db, WallTime since);

/// Adds requests not later than `until_ms`, their attempts and their outcomes to the sums. Whoever
/// calls it removes them in the same transaction.
Result<> add_to_daily_sums(sqlite::Database& db, std::int64_t until_ms);

}  // namespace minimill::ledger
