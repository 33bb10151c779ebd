#include "api/overview.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "base/rfc3339.h"
#include "chat/origin.h"

namespace minimill::api {
namespace {

namespace json = boost::json;

constexpr double kZ = 1.96;  // of a normal distribution's middle 95 %

/// Some rows of the figures, added up: the requests that somebody asked, by lane, and apart from
/// them what was asked to compare.
struct Sum {
  ledger::Figures local;
  ledger::Figures cloud;
  ledger::Figures compared;

  void add(const ledger::FiguresRow& row) {
    const bool comparison = row.origin == chat::name(chat::Origin::kShadow);
    const bool in_cloud = row.lane == chat::index(chat::Lane::kCloud);
    (comparison ? compared : in_cloud ? cloud : local) += row.figures;
  }
};

json::value or_null(std::optional<double> number) {
  return number ? json::value(*number) : json::value(nullptr);
}

json::object lane_json(const ledger::Figures& lane) {
  return {{"answered", lane.answered},
          {"attempts", lane.attempts},
          {"failures", lane.failures},
          {"checks", share_json(lane.passed, lane.checked)},
          {"judged", share_json(lane.good, lane.judged)},
          {"prompt_tokens", lane.prompt_tokens},
          {"completion_tokens", lane.completion_tokens},
          {"cost_usd", lane.cost_usd}};
}

json::object money_json(const Sum& sum, const CloudRatio& ratio) {
  const double spent = sum.local.cost_usd + sum.cloud.cost_usd + sum.compared.cost_usd;
  const double estimated = sum.local.cloud_usd;
  const auto saved = [&](double by) { return sum.cloud.cost_usd + by * estimated - spent; };
  json::object money{{"spent_usd", spent},
                     {"comparing_usd", sum.compared.cost_usd},
                     {"all_cloud_usd", sum.cloud.cost_usd + ratio.estimate * estimated},
                     {"saved_usd", saved(ratio.estimate)}};
  money["saved_low_usd"] = ratio.low ? json::value(saved(*ratio.low)) : json::value(nullptr);
  money["saved_high_usd"] = ratio.high ? json::value(saved(*ratio.high)) : json::value(nullptr);
  money["pairs"] = ratio.pairs;
  return money;
}

json::object sum_json(const Sum& sum, const CloudRatio& ratio) {
  ledger::Figures both = sum.local;
  both += sum.cloud;
  const auto requests = static_cast<double>(std::max<std::int64_t>(both.requests, 1));
  json::object shown{
      {"requests", both.requests},
      {"answered", both.answered},
      {"errors", both.errors},
      {"escalated", both.escalated},
      {"local", lane_json(sum.local)},
      {"cloud", lane_json(sum.cloud)},
      {"share_local", share_json(sum.local.answered, both.answered)},
      {"checks", share_json(both.passed, both.checked)},
      {"judged", share_json(both.good, both.judged)},
      {"mean_wait_ms", both.waited_ms / requests},
      {"mean_duration_ms", both.took_ms / requests},
      {"prompt_tokens", both.prompt_tokens + sum.compared.prompt_tokens},
      {"completion_tokens", both.completion_tokens + sum.compared.completion_tokens}};
  shown["money"] = money_json(sum, ratio);
  return shown;
}

using Key = std::function<std::string(const ledger::FiguresRow&)>;

/// The rows by what `key` says of them, in its order.
json::array grouped(std::span<const ledger::FiguresRow> rows, const CloudRatio& ratio,
                    std::string_view name, const Key& key) {
  std::map<std::string, Sum> sums;
  for (const ledger::FiguresRow& row : rows) sums[key(row)].add(row);
  json::array listed;
  for (const auto& [of, sum] : sums) {
    json::object shown = sum_json(sum, ratio);
    shown[name] = of;
    listed.push_back(std::move(shown));
  }
  return listed;
}

std::string date_of(WallTime time) { return rfc3339(time).substr(0, sizeof("2026-01-31") - 1); }

json::array promises_json(const std::vector<route::BoundStatus>& bounds) {
  json::array promises;
  for (const route::BoundStatus& each : bounds) {
    promises.push_back({{"app", each.bound.app},
                        {"operation", each.bound.operation},
                        {"max_loss", each.bound.risk.max_loss},
                        {"confidence", each.bound.risk.confidence},
                        {"kept", each.bar <= 1},
                        {"bar", or_null(each.bar <= 1 ? std::optional(each.bar) : std::nullopt)},
                        {"audits", each.audits},
                        {"missing", each.missing}});
  }
  return promises;
}

}  // namespace

json::object share_json(std::int64_t good, std::int64_t of) {
  json::object shown{
      {"good", good}, {"of", of}, {"share", nullptr}, {"low", nullptr}, {"high", nullptr}};
  if (of <= 0) return shown;
  const auto n = static_cast<double>(of);
  const double p = static_cast<double>(good) / n;
  const double scale = 1 + kZ * kZ / n;
  const double middle = (p + kZ * kZ / (2 * n)) / scale;
  const double half = kZ * std::sqrt(p * (1 - p) / n + kZ * kZ / (4 * n * n)) / scale;
  shown["share"] = p;
  shown["low"] = std::max(0.0, middle - half);
  shown["high"] = std::min(1.0, middle + half);
  return shown;
}

CloudRatio cloud_ratio(const ledger::Figures& all) {
  CloudRatio ratio{.low = {}, .high = {}, .pairs = all.pairs};
  if (all.pairs < kLeastPairs || all.pair_x <= 0) return ratio;
  const auto n = static_cast<double>(all.pairs);
  const double r = all.pair_y / all.pair_x;
  const double rest = all.pair_yy - 2 * r * all.pair_xy + r * r * all.pair_xx;
  const double mean_x = all.pair_x / n;
  const double error = std::sqrt(std::max(rest, 0.0) / (n - 1) / n) / mean_x;
  ratio.estimate = r;
  ratio.low = std::max(0.0, r - kZ * error);
  ratio.high = r + kZ * error;
  return ratio;
}

json::object overview_json(const Span& span, std::span<const ledger::FiguresRow> rows,
                           const std::vector<route::BoundStatus>& bounds) {
  Sum all;
  for (const ledger::FiguresRow& row : rows) all.add(row);
  const CloudRatio ratio = cloud_ratio(all.compared);
  json::object shown{{"since", rfc3339(span.since)}, {"until", rfc3339(span.until)}};
  shown["all"] = sum_json(all, ratio);
  shown["promises"] = promises_json(bounds);
  shown["by_day"] = grouped(rows, ratio, "day", [](const auto& row) { return date_of(row.day); });
  shown["by_app"] = grouped(rows, ratio, "app", [](const auto& row) { return row.app; });
  shown["by_operation"] =
      grouped(rows, ratio, "operation", [](const auto& row) { return row.operation; });
  shown["by_provider"] =
      grouped(rows, ratio, "provider", [](const auto& row) { return row.provider; });
  return shown;
}

}  // namespace minimill::api
