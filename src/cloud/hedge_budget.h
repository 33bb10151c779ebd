#pragma once

// How many requests may be sent twice: each request earns a share of one, up to kMost, and each
// hedge spends one whole (a token bucket), so that hedges never exceed that share of all requests.
// As Dean and Barroso, "The Tail at Scale" (CACM 56(2), 2013), who hedge at the 95th percentile.

#include <algorithm>

namespace minimill::cloud {

class HedgeBudget {
 public:
  static constexpr double kMost = 10;

  /// `share` of all requests; 0: none are ever hedged.
  explicit HedgeBudget(double share) : share_(share) {}

  void earn() { saved_ = std::min(kMost, saved_ + share_); }
  bool spend() {
    // A share of 0.05, twenty times added, is a little less than one.
    constexpr double kRounding = 1e-9;
    if (saved_ + kRounding < 1) return false;
    saved_ -= 1;
    return true;
  }
  bool is_off() const { return share_ <= 0; }

 private:
  double share_;
  double saved_ = 0;
};

}  // namespace minimill::cloud
