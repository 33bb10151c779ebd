#pragma once

// May a rung answer, and from which confidence on? Evidence is prequential (Dawid 1984): each of
// the cloud's answers is first predicted by the rung, before it is learnt from, so that every
// prediction was an honest one on the user's own traffic, and cost nothing.
//
// Proven: a bar on the confidence is safe if "of what is answered above it, over `most_wrong` is
// worse than the cloud's" is rejected by an exact binomial test; bars are tried from strict to lax,
// beginning with the first that has enough above it to reject at all, and the last before the first
// failure is used (Learn then Test: Angelopoulos, Bates, Candès, Jordan, Lei 2021, fixed sequence).
// Texts alike count once, and as wrong if one of them was. A cluster (one of the answers, say) that
// is worse than the bound allows is left out on its own.
//
// Trial: where the request brings a check that has been seen to fail on wrong answers, a wrong
// answer costs no more than asking the cloud after all: less evidence will do.
//
// Live: what a rung answered and was audited feeds an e-process (Shin, Ramdas, Rinaldo 2024,
// "E-detectors: a nonparametric framework for sequential change detection"): however often one
// looks, a rung that keeps its promise is demoted rarely, one that breaks it soon.

//
// One thread at a time, as a bar is remembered until there is new evidence.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minimill::distill {

struct Promise {
  double most_wrong = 0.05;  // of what is answered without a check
  double confidence = 0.95;  // that it is kept
  bool operator==(const Promise&) const = default;
};

class Evidence {
 public:
  static constexpr std::size_t kMost = 1'500;  // the newest predictions
  /// A bar that no confidence reaches.
  static constexpr double kNone = 2;
  static constexpr std::size_t kTrialExamples = 20;
  static constexpr double kTrialBar = 0.5;
  static constexpr std::size_t kChecksCaught = 3;

  /// A prediction made before the cloud's answer was known. `right`: as good as the cloud's.
  void add(double p_right, bool right, std::uint32_t cluster, std::uint64_t near_duplicate_key);
  /// A request's own check was run on an answer known to be wrong.
  void tried_check(bool caught);
  /// An answer of the rung's that went out was audited, or its check has spoken.
  void audit(bool right, const Promise& promise);
  /// A drifted operation begins anew.
  void forget();

  /// The least confidence that is proven to keep the promise; kNone where none is yet.
  double proven_bar(const Promise& promise) const;
  /// A cluster that is worse than promised, though all together are not.
  bool is_worse(std::uint32_t cluster, double bar, const Promise& promise) const;
  /// kTrialBar where checks may be relied on; else kNone.
  double trial_bar(std::size_t examples) const;
  /// The promise was broken since forget(): nothing is answered without a check.
  bool broken() const { return broken_; }
  std::size_t size() const { return predictions_.size(); }
  /// How many more right predictions in a row before a bar can be proven.
  std::size_t missing(const Promise& promise) const;
  /// Of the newest 200 predictions, the share right: for people.
  double share_right() const;

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  struct Prediction {
    float p_right = 0;
    bool right = false;
    std::uint32_t cluster = 0;
    std::uint64_t key = 0;
  };
  std::vector<Prediction> independent() const;
  double compute_bar(const Promise& promise) const;

  std::deque<Prediction> predictions_;  // oldest first
  std::uint32_t caught_ = 0;
  std::uint32_t missed_ = 0;
  double wealth_ = 1;  // of the e-process
  bool broken_ = false;

  // The last bar asked for, until there is something new.
  mutable Promise bar_of_;
  mutable double bar_ = -1;
};

}  // namespace minimill::distill
