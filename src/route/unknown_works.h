#pragma once

// Works that belong to no operation yet. Where several of them are alike they make a new one, named
// after the words they begin with. In memory only, as texts are not kept; bounded.

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "route/features.h"
#include "route/nearest.h"

namespace minimill::route {

class UnknownWorks {
 public:
  static constexpr std::size_t kMost = 256;
  static constexpr std::size_t kEnough = 5;  // alike, the new one included

  struct Group {
    std::string name;                // in words
    std::vector<Features> examples;  // the new work is not among them
  };
  /// The group that the new work completes, taken out of here; else the work is kept.
  std::optional<Group> add(const Sketch& sketch, const Features& features, std::string_view text);

 private:
  struct Work {
    Sketch sketch;
    Features features;
    std::vector<std::string> beginning;  // its first words
  };
  std::deque<Work> works_;  // oldest first
};

}  // namespace minimill::route
