#pragma once

// An app as minimill knows it: a name, and what it may.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "chat/decision.h"
#include "policy/privacy.h"

namespace minimill::policy {

struct App {
  std::string name;                                 // [a-z0-9._-]{1,64}
  std::optional<std::int64_t> requests_per_minute;  // unset: no limit; so with those below
  std::optional<double> usd_per_day;
  std::optional<double> usd_per_month;  // both of UTC's calendar
  std::optional<chat::Lane> lane;       // the only one it may use; unset: either
  std::vector<std::string>
      models;  // names it may ask for, "gpt-*" for all that begin so; empty: any
  std::optional<policy::Privacy>
      privacy;  // of its requests that say nothing; unset: the daemon's own
  bool operator==(const App&) const = default;
};

/// kInvalidArgument, naming the field, for a name or a number that is none.
Result<> check(const App& app);

bool may_ask_for(const App& app, std::string_view model);

}  // namespace minimill::policy
