#pragma once

// How often a model's answers to an operation pass their checks: decayed counts with a Beta prior
// that thinks well of every model, so that a few unlucky answers exclude none. Event-loop thread
// only.

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"

namespace minimill::cloud {

class PassRecord {
 public:
  static constexpr std::size_t kMaxEntries = 4096;  // beyond it the one longest unheard of goes

  void note(std::string_view model, std::string_view operation, bool passed, SteadyTime now);
  /// The estimated share that passes, in (0, 1).
  double share(std::string_view model, std::string_view operation, SteadyTime now) const;

 private:
  struct Counts {
    double passed = 0;
    double failed = 0;
    SteadyTime at{};
  };
  std::map<std::pair<std::string, std::string>, Counts> counts_;
};

}  // namespace minimill::cloud
