#pragma once

// A promise kept: "lose at most ε quality against cloud-only, with confidence 1 − δ".
//
// Evidence are audits: requests picked at random, whatever their lane, whose local answer was held
// against the cloud's. Each is the estimate made at the time and whether local would have lost
// something. A bar on the estimate is safe if the hypothesis "with it, over ε of all requests lose
// something" is rejected by a binomial test; bars are tried from the strictest to the laxest, and
// the last one before the first failure is used (Angelopoulos, Bates, Candès, Jordan, Lei 2021,
// "Learn then Test: Calibrating Predictive Algorithms to Achieve Risk Control", fixed sequence
// testing). The newest audits count, so that the bar follows what changes; and where those at the
// bar itself have lost more than was promised, it becomes stricter at once.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill::route {

struct RiskOptions {
  double max_loss = 0.05;    // ε, a share of requests
  double confidence = 0.95;  // 1 − δ
  bool operator==(const RiskOptions&) const = default;
};

class RiskControl {
 public:
  static constexpr std::size_t kMostAudits = 1'000;
  /// A bar that no estimate reaches: everything goes to the cloud.
  static constexpr double kNone = 2;

  /// `estimate`: P(local is good enough), made before; `lost`: local was worse than the cloud.
  void audit(double estimate, bool lost);
  /// After drift: older audits say little about what comes.
  void forget(std::size_t keep);

  /// Local is safe for estimates of at least this.
  double bar(const RiskOptions& options) const;
  /// How many more audits, all of them good, before any bar can be shown to be safe.
  std::size_t missing(const RiskOptions& options) const;
  std::size_t audits() const { return audits_.size(); }

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  struct Audit {
    float estimate = 0;
    bool lost = false;
  };
  std::deque<Audit> audits_;  // oldest first
};

/// P(at most `successes` of `trials` at this rate), of a binomial distribution.
double binomial_tail(std::size_t successes, std::size_t trials, double rate);

}  // namespace minimill::route
