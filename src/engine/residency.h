#pragma once

// Which engines may be in memory at once, and who goes for another. Functions from values to
// values: the engine pool asks them before an engine starts.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace minimill::engine {

/// What an engine takes in memory.
struct EngineNeed {
  std::string file;            // two engines on the same file have its weights in memory once
  std::uint64_t weights = 0;   // bytes
  std::uint64_t kv_cache = 0;  // bytes; keys, values and kept prompts: each engine's own
};

/// An engine that is in memory, or on its way there.
struct Resident {
  std::string id;
  std::string name;  // for people
  EngineNeed need;
  bool idle = false;  // no request is under way, and it has started
  SteadyTime last_used{};
};

struct ResidencyLimits {
  std::uint64_t memory = 0;  // bytes for all engines together; 0: not known, so not limited
  int engines = 4;
};

/// What all of them take together.
std::uint64_t memory_of(std::span<const Resident> residents);

/// The ids of the engines to stop so that `name` can start: those idle, the least recently used
/// first, and no more than it takes. kUnsupported where it would not fit even alone, kUnavailable
/// where those in its way are at work; both say what would help.
Result<std::vector<std::string>> make_room(const std::string& name, const EngineNeed& need,
                                           std::span<const Resident> residents,
                                           const ResidencyLimits& limits);

}  // namespace minimill::engine
