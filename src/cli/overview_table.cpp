#include "cli/overview_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <vector>

namespace minimill::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kShown = 12;  // rows of a group

std::int64_t count(const json::object& sum, std::string_view key) {
  return sum.at(key).to_number<std::int64_t>();
}

double number(const json::object& object, std::string_view key) {
  return object.at(key).to_number<double>();
}

void add_row(std::string& out, std::string_view name, const json::object& sum) {
  const json::object& money = sum.at("money").as_object();
  fmt::format_to(
      std::back_inserter(out), "{:<30.30} {:>8} {:>7} {:>7} {:>7} {:>8} {:>9} {:>11} {:>11}\n",
      name, count(sum, "requests"), percent_text(sum.at("share_local").as_object().at("share")),
      percent_text(sum.at("checks").as_object().at("share")), count(sum, "escalated"),
      ms_text(number(sum, "mean_wait_ms")), ms_text(number(sum, "mean_duration_ms")),
      usd_text(number(money, "spent_usd")), usd_text(number(money, "saved_usd")));
}

void add_group(std::string& out, const json::object& overview, std::string_view group,
               std::string_view key, bool newest) {
  const json::array& rows = overview.at(group).as_array();
  if (rows.empty()) return;
  fmt::format_to(std::back_inserter(out),
                 "\n{:<30} {:>8} {:>7} {:>7} {:>7} {:>8} {:>9} {:>11} {:>11}\n", key, "requests",
                 "local", "passed", "escal.", "wait", "duration", "spent", "saved");
  std::vector<const json::object*> shown;
  for (const json::value& each : rows) shown.push_back(&each.as_object());
  if (newest) {
    if (shown.size() > kShown) shown.erase(shown.begin(), shown.end() - kShown);
  } else {
    std::ranges::stable_sort(shown, std::ranges::greater{},
                             [](const json::object* each) { return count(*each, "requests"); });
    shown.resize(std::min(shown.size(), kShown));
  }
  for (const json::object* each : shown) {
    const std::string_view name = each->at(key).as_string();
    add_row(out, name.empty() ? "(not known)" : name, *each);
  }
  if (shown.size() < rows.size()) {
    fmt::format_to(std::back_inserter(out), "… and {} more: --json has all\n",
                   rows.size() - shown.size());
  }
}

void add_promises(std::string& out, const json::array& promises) {
  for (const json::value& each : promises) {
    const json::object& promise = each.as_object();
    std::string of(promise.at("operation").as_string());
    if (of.empty()) of = promise.at("app").as_string();
    fmt::format_to(
        std::back_inserter(out), "promise: lose at most {:.0f} % of {}, {:.0f} % sure: {}\n",
        100 * number(promise, "max_loss"), of.empty() ? "everything" : of,
        100 * number(promise, "confidence"),
        promise.at("kept").as_bool()
            ? fmt::format("kept, by {} audits", count(promise, "audits"))
            : fmt::format("not proved yet, {} audits are missing", count(promise, "missing")));
  }
}

}  // namespace

std::string usd_text(double usd) {
  return fmt::format("{:.{}f} $", usd, std::abs(usd) >= 1 ? 2 : 4);
}

std::string percent_text(const json::value& share) {
  return share.is_null() ? "-" : fmt::format("{:.0f} %", 100 * share.to_number<double>());
}

std::string ms_text(double ms) {
  constexpr double kSecond = 1000;
  constexpr double kMinute = 60 * kSecond;
  if (ms < kSecond) return fmt::format("{:.0f} ms", ms);
  if (ms < kMinute) return fmt::format("{:.1f} s", ms / kSecond);
  return fmt::format("{:.1f} min", ms / kMinute);
}

std::string overview_table(const json::object& overview) {
  const json::object& all = overview.at("all").as_object();
  const json::object& money = all.at("money").as_object();
  const json::object& share = all.at("share_local").as_object();
  const json::object& checks = all.at("checks").as_object();
  std::string out = fmt::format(
      "{:.10} to {:.10} (UTC), {} requests\n\n", std::string_view(overview.at("since").as_string()),
      std::string_view(overview.at("until").as_string()), count(all, "requests"));
  const auto line = std::back_inserter(out);
  fmt::format_to(line, "on the device: {} of {} answers, {} escalated, {} errors\n",
                 percent_text(share.at("share")), count(share, "of"), count(all, "escalated"),
                 count(all, "errors"));
  if (count(checks, "of") > 0) {
    fmt::format_to(line, "checks: {} of {} passed ({}, between {} and {})\n", count(checks, "good"),
                   count(checks, "of"), percent_text(checks.at("share")),
                   percent_text(checks.at("low")), percent_text(checks.at("high")));
  }
  add_promises(out, overview.at("promises").as_array());
  fmt::format_to(line, "spent: {}; had all gone to the cloud: {}\n",
                 usd_text(number(money, "spent_usd")), usd_text(number(money, "all_cloud_usd")));
  fmt::format_to(
      line, "saved: {}{}\n", usd_text(number(money, "saved_usd")),
      money.at("saved_low_usd").is_null()
          ? std::string(" (at the cloud's prices; nothing was compared with the cloud yet)")
          : fmt::format(" (between {} and {}, by {} comparisons)",
                        usd_text(number(money, "saved_low_usd")),
                        usd_text(number(money, "saved_high_usd")), count(money, "pairs")));
  add_group(out, overview, "by_day", "day", true);
  add_group(out, overview, "by_app", "app", false);
  add_group(out, overview, "by_operation", "operation", false);
  return out;
}

}  // namespace minimill::cli
