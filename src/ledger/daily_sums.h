#pragma once

// Sums of all requests by day (UTC), app, operation, lane and provider, kept as requests and their
// checks are recorded. Budgets, totals and reports read these few rows instead of counting
// millions, and they are what is left of requests once those are pruned.

#include <cstdint>
#include <string>
#include <string_view>
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

/// Of all days since `since`, oldest first.
Result<std::vector<DailySum>> daily_sums(sqlite::Database& db, WallTime since);

/// Of one request, as its rows are now: called before they change, with kNoLonger, and after, with
/// kNow, in one transaction. Where there is no such request nothing happens.
enum class Counted { kNow, kNoLonger };
Result<> count_request(sqlite::Database& db, std::string_view id, Counted counted);

}  // namespace minimill::ledger
