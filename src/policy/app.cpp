#include "policy/app.h"

#include <algorithm>
#include <cmath>

namespace minimill::policy {
namespace {

constexpr std::size_t kMaxNameBytes = 64;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool is_sum(const std::optional<double>& usd) { return !usd || (std::isfinite(*usd) && *usd >= 0); }

}  // namespace

Result<> check(const App& app) {
  if (app.name.empty() || app.name.size() > kMaxNameBytes ||
      !std::ranges::all_of(app.name, is_name_char)) {
    return fail_field("app", "an app's name is 1 to 64 of a-z, 0-9, '.', '_' and '-'");
  }
  if (app.requests_per_minute && *app.requests_per_minute < 1) {
    return fail_field("requests_per_minute", "must be at least 1");
  }
  if (!is_sum(app.usd_per_day)) return fail_field("usd_per_day", "must be 0 or more");
  if (!is_sum(app.usd_per_month)) return fail_field("usd_per_month", "must be 0 or more");
  return {};
}

bool may_ask_for(const App& app, std::string_view model) {
  const auto fits = [model](std::string_view pattern) {
    if (!pattern.ends_with('*')) return model == pattern;
    pattern.remove_suffix(1);
    return model.starts_with(pattern);
  };
  return app.models.empty() || std::ranges::any_of(app.models, fits);
}

}  // namespace minimill::policy
