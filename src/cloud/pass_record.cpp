#include "cloud/pass_record.h"

#include <algorithm>
#include <cmath>

namespace minimill::cloud {
namespace {

constexpr double kPriorPassed = 7.2;  // eight answers, of which nine in ten passed
constexpr double kPriorFailed = 0.8;
constexpr std::chrono::hours kMemory{7 * 24};

double kept(SteadyTime since, SteadyTime now) {
  return now <= since ? 1 : std::exp(-in_ms(now - since) / in_ms(kMemory));
}

}  // namespace

void PassRecord::note(std::string_view model, std::string_view operation, bool passed,
                      SteadyTime now) {
  std::pair key{std::string(model), std::string(operation)};
  if (counts_.size() >= kMaxEntries && !counts_.contains(key)) {
    counts_.erase(
        std::ranges::min_element(counts_, {}, [](const auto& entry) { return entry.second.at; }));
  }
  Counts& counts = counts_[std::move(key)];
  const double share_kept = kept(counts.at, now);
  counts.passed = counts.passed * share_kept + (passed ? 1 : 0);
  counts.failed = counts.failed * share_kept + (passed ? 0 : 1);
  counts.at = std::max(counts.at, now);
}

double PassRecord::share(std::string_view model, std::string_view operation, SteadyTime now) const {
  double passed = kPriorPassed;
  double failed = kPriorFailed;
  const auto found = counts_.find({std::string(model), std::string(operation)});
  if (found != counts_.end()) {
    const double share_kept = kept(found->second.at, now);
    passed += found->second.passed * share_kept;
    failed += found->second.failed * share_kept;
  }
  return passed / (passed + failed);
}

}  // namespace minimill::cloud
