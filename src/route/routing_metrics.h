#pragma once

// How good a router's estimates are, given what both lanes' answers turned out to be. Measures of
// RouteLLM (Ong et al. 2024): PGR(c) is the share of the quality gap between local-only and
// cloud-only that is recovered when the share c of requests with the highest score goes out.

#include <cstddef>
#include <span>

namespace minimill::route {

struct Routed {
  double score = 0;    // how much is expected to be lost by staying local; higher goes out first
  double p_local = 0;  // P(local is right)
  bool local_ok = false;
  bool cloud_ok = false;
};

struct RoutingMetrics {
  double apgr = 0;   // mean of PGR over c = 0.1 … 0.9
  double cpt50 = 0;  // the smallest c that recovers half of the gap
  double cpt80 = 0;
  double calibration_error = 0;  // of p_local, ten bins
};

/// Where the lanes are equally good on the whole there is no gap: all but the calibration error is
/// 0.
RoutingMetrics routing_metrics(std::span<const Routed> routed);

}  // namespace minimill::route
