#include "route/routing_metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "route/reliability.h"

namespace minimill::route {
namespace {

double calibration_error(std::span<const Routed> routed) {
  std::array<Reliability::Bin, Reliability::kBins> bins{};
  for (const Routed& each : routed) {
    const auto at = static_cast<std::size_t>(each.p_local * Reliability::kBins);
    Reliability::Bin& bin = bins[std::min(at, Reliability::kBins - 1)];
    bin.foretold += each.p_local;
    bin.good += each.local_ok ? 1 : 0;
  }
  double distance = 0;
  for (const Reliability::Bin& bin : bins) distance += std::abs(bin.foretold - bin.good);
  return routed.empty() ? 0 : distance / static_cast<double>(routed.size());
}

}  // namespace

RoutingMetrics routing_metrics(std::span<const Routed> routed) {
  RoutingMetrics metrics;
  metrics.calibration_error = calibration_error(routed);
  std::vector<const Routed*> order;
  for (const Routed& each : routed) order.push_back(&each);
  std::ranges::stable_sort(order, std::ranges::greater{}, &Routed::score);

  // gained[k]: how many more are right when the first k go out.
  std::vector<double> gained(order.size() + 1);
  for (std::size_t i = 0; i < order.size(); ++i) {
    gained[i + 1] = gained[i] + (order[i]->cloud_ok ? 1 : 0) - (order[i]->local_ok ? 1 : 0);
  }
  const double gap = gained.back();
  if (gap == 0) return metrics;
  const auto count = static_cast<double>(order.size());
  constexpr int kTenths = 10;
  for (int tenth = 1; tenth < kTenths; ++tenth) {
    const auto out = static_cast<std::size_t>(std::lround(count * tenth / kTenths));
    metrics.apgr += gained[out] / gap / (kTenths - 1);
  }
  const auto recovers = [&](double share) {
    const auto first =
        std::ranges::find_if(gained, [&](double each) { return each / gap >= share; });
    return static_cast<double>(first - gained.begin()) / count;
  };
  metrics.cpt50 = recovers(0.5);
  metrics.cpt80 = recovers(0.8);
  return metrics;
}

}  // namespace minimill::route
