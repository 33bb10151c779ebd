#include "chat/decision.h"

#include <utility>

namespace minimill::chat {

std::string_view name(Lane lane) { return lane == Lane::kLocal ? "local" : "cloud"; }

void Decision::set_rule(Reason rule) {
  const bool ruled = !reasons.empty() && reasons.front().weight == 0;
  if (ruled) {
    reasons.front() = std::move(rule);
  } else {
    reasons.insert(reasons.begin(), std::move(rule));
  }
}

std::string_view degraded(const Decision& decision) {
  for (const Reason& reason : decision.reasons) {
    if (reason.layer == kDegraded) return reason.text;
  }
  return {};
}

}  // namespace minimill::chat
