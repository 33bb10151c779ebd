#pragma once

// What the router says about a piece of work, with its reasons.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minimill::chat {

enum class Lane { kLocal, kCloud };

inline constexpr int kLaneCount = 2;
constexpr int index(Lane lane) { return static_cast<int>(lane); }
std::string_view name(Lane lane);  // "local", "cloud"

/// One thing that spoke for or against local. `weight` is in log-odds of "local will do": 0.7
/// doubles the odds; 0 marks a rule that decided without weighing.
struct Reason {
  /// Rules: "policy", "capacity", "budget", "degraded", "balance", "bound", "drift", "exploration",
  /// "escalation", "shadow". Weighed: "difficulty", "history", "nearest", "cloud".
  std::string layer;
  std::string text;  // for people: "asks for step-by-step reasoning"
  double weight = 0;
  bool operator==(const Reason&) const = default;
};

struct Decision {
  Lane lane = Lane::kLocal;
  std::string model;            // filled in by the model selector
  std::string operation;        // "" where the work is like nothing seen before
  double p_local_ok = 0;        // estimated probability that the local answer is good enough
  double threshold = 0;         // local where p_local_ok >= threshold
  bool degraded = false;        // hard work, left to the device all the same
  std::vector<Reason> reasons;  // strongest first

  /// Says first why it is so; where a rule has said so before, in that rule's place.
  void set_rule(Reason rule);
  bool operator==(const Decision&) const = default;
};

/// The layer of a reason that says why a hard work was left to the device all the same.
inline constexpr std::string_view kDegraded = "degraded";
/// That reason's text; empty where the answer is as good as was decided.
std::string_view degraded(const Decision& decision);

}  // namespace minimill::chat
