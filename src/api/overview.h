#pragma once

// What was asked, answered, proved, spent and saved in a span of days: the one aggregate that the
// page, `minimill report`, `minimill top` and --json show. Pure: rows in, JSON out.
//
// Saved is what the cloud would have taken for what the device answered, less what was spent on
// more than that. What it would have taken is counted at the price of its default model for the
// device's own tokens, and corrected by answers that both gave to the same requests, picked at
// random: a ratio estimate with the interval that goes with it (Cochran, Sampling Techniques,
// 3rd ed., section 6.3). With fewer than kLeastPairs of them there is no interval.

#include <boost/json.hpp>
#include <span>
#include <vector>

#include "ledger/figures.h"
#include "route/router.h"

namespace minimill::api {

inline constexpr std::int64_t kLeastPairs = 2;

struct Span {
  WallTime since{};  // beginning of its first day (UTC)
  WallTime until{};  // of the day behind its last
};

/// What the cloud takes for each USD that is estimated for it.
struct CloudRatio {
  double estimate = 1;
  std::optional<double> low;  // of an interval of 95 %
  std::optional<double> high;
  std::int64_t pairs = 0;
};
CloudRatio cloud_ratio(const ledger::Figures& all);

/// A share with its interval of 95 % (Wilson); null bounds where there is nothing.
boost::json::object share_json(std::int64_t good, std::int64_t of);

boost::json::object overview_json(const Span& span, std::span<const ledger::FiguresRow> rows,
                                  const std::vector<route::BoundStatus>& bounds);

}  // namespace minimill::api
