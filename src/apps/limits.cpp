#include "apps/limits.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace minimill::apps {
namespace {

using std::chrono::milliseconds;

constexpr double kSecondsPerMinute = 60;
constexpr double kMsPerSecond = 1000;

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

std::unexpected<Error> limited(std::string message, milliseconds retry_after) {
  Error error;
  error.code = ErrorCode::kRateLimited;
  error.message = std::move(message);
  error.hint = "wait, or raise the app's limit: minimill key set";
  error.retry_after = retry_after;
  return std::unexpected(std::move(error));
}

}  // namespace

Result<> Limits::take_request(const App& app) {
  if (!app.requests_per_minute) return {};
  const auto capacity = static_cast<double>(*app.requests_per_minute);
  const SteadyTime now = clock_.steady();
  const auto [found, is_new] = buckets_.try_emplace(app.name, Bucket{capacity, now});
  Bucket& bucket = found->second;
  const double passed = std::chrono::duration<double>(now - bucket.filled_at).count();
  bucket.requests = std::min(capacity, bucket.requests + passed * capacity / kSecondsPerMinute);
  bucket.filled_at = now;
  if (bucket.requests >= 1) {
    bucket.requests -= 1;
    return {};
  }
  const double wait_s = (1 - bucket.requests) * kSecondsPerMinute / capacity;
  return limited(
      fmt::format("the app '{}' may make {} requests a minute", app.name, *app.requests_per_minute),
      milliseconds{static_cast<std::int64_t>(std::ceil(wait_s * kMsPerSecond))});
}

Limits::Account& Limits::account(std::string_view app, WallTime at) {
  auto found = accounts_.find(app);
  if (found == accounts_.end()) found = accounts_.emplace(std::string(app), Account{}).first;
  Account& account = found->second;
  // Time that goes back (a clock set right) opens no new day.
  if (const std::int64_t day = day_of(at); day > account.day) {
    account.day = day;
    account.spent.day_usd = 0;
  }
  if (const std::int64_t month = month_of(at); month > account.month) {
    account.month = month;
    account.spent.month_usd = 0;
  }
  return account;
}

void Limits::spend(std::string_view app, double usd, WallTime at) {
  Account& account = this->account(app, at);
  if (day_of(at) == account.day) account.spent.day_usd += usd;
  if (month_of(at) == account.month) account.spent.month_usd += usd;
}

Spent Limits::spent(std::string_view app) { return account(app, clock_.wall()).spent; }

std::optional<double> Limits::left_usd(const App& app) {
  const Spent used = spent(app.name);
  std::optional<double> left;
  const auto bound = [&left](const std::optional<double>& budget, double spent) {
    if (budget) left = std::min(left.value_or(*budget - spent), *budget - spent);
  };
  bound(app.usd_per_day, used.day_usd);
  bound(app.usd_per_month, used.month_usd);
  return left ? std::optional(std::max(*left, 0.0)) : std::nullopt;
}

Result<> Limits::check_budget(const App& app) {
  const Spent used = spent(app.name);
  const WallTime now = clock_.wall();
  if (app.usd_per_month && used.month_usd >= *app.usd_per_month) {
    return limited(fmt::format("the app '{}' has spent its {:.2f} USD of this month", app.name,
                               *app.usd_per_month),
                   until_next_month(now));
  }
  if (app.usd_per_day && used.day_usd >= *app.usd_per_day) {
    return limited(
        fmt::format("the app '{}' has spent its {:.2f} USD of today", app.name, *app.usd_per_day),
        until_tomorrow(now));
  }
  return {};
}

}  // namespace minimill::apps
