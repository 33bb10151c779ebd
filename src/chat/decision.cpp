#include "chat/decision.h"

#include <fmt/format.h>

namespace minimill::chat {

std::string_view name(Lane lane) { return lane == Lane::kLocal ? "local" : "cloud"; }

Result<Lane> parse_lane(std::string_view text) {
  if (text == "local") return Lane::kLocal;
  if (text == "cloud") return Lane::kCloud;
  return fail_field("lane", fmt::format("no lane '{}'", text), "use local or cloud");
}

std::string_view degraded(const Decision& decision) {
  for (const Reason& reason : decision.reasons) {
    if (reason.layer == kDegraded) return reason.text;
  }
  return {};
}

}  // namespace minimill::chat
