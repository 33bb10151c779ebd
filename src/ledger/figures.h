#pragma once

// The one set of figures that pages, reports and --json show: what was asked, who answered, how it
// turned out, what it took and cost, summed by day (UTC), app, operation, origin, lane and provider
// as requests and their outcomes are recorded. Reading a month is reading some hundred rows,
// however many millions of requests there were, and pruning takes nothing from it.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "ledger/daily_sums.h"
#include "sqlite/database.h"

namespace minimill::ledger {

/// Its own migrations; run after those of the ledger and of the daily sums.
Result<> migrate_figures(sqlite::Database& db);

/// Of one request, as its rows are now: called before they change, with kNoLonger, and after, with
/// kNow, in one transaction. Where there is no such request nothing happens.
Result<> count_figures(sqlite::Database& db, std::string_view request, Counted counted);

struct Figures {
  // Of requests, in the lane and by the provider that gave the last answer.
  std::int64_t requests = 0;
  std::int64_t errors = 0;     // whose app got an HTTP error
  std::int64_t escalated = 0;  // answered on the device, or tried there, and not well enough
  std::int64_t answered = 0;   // by an answer that stood
  std::int64_t checked = 0;    // by a check of the task's
  std::int64_t passed = 0;
  std::int64_t judged = 0;  // by people, a judge model or a comparison; the last word counts
  std::int64_t good = 0;
  double waited_ms = 0;  // sums over all attempts
  double took_ms = 0;
  double cloud_usd = 0;  // of local answers: what the cloud would have taken for their tokens

  // Of answers that both lanes gave to the same request, picked at random: x, what the cloud would
  // have taken for the local one's tokens, and y, what it did take.
  std::int64_t pairs = 0;
  double pair_x = 0;
  double pair_y = 0;
  double pair_xx = 0;
  double pair_xy = 0;
  double pair_yy = 0;

  // Of attempts, where they went.
  std::int64_t attempts = 0;
  std::int64_t failures = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  double cost_usd = 0;

  Figures& operator+=(const Figures& other);
};

struct FiguresRow {
  WallTime day{};  // its beginning
  std::string app;
  std::string operation;
  std::string origin;  // as chat::Origin is named
  int lane = 0;
  std::string provider;  // or engine; "" where nobody answered
  Figures figures;
};

/// Of all days from `since`'s to before `until`'s, oldest first.
Result<std::vector<FiguresRow>> read_figures(sqlite::Database& db, WallTime since, WallTime until);

}  // namespace minimill::ledger
