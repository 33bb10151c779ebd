#pragma once

// The rules of privacy, of the app's own choice and of capacity: they come first, and no estimate
// outweighs them.

#include <optional>
#include <vector>

#include "base/error.h"
#include "chat/decision.h"
#include "route/route_input.h"

namespace minimill::route {

/// What rules alone decide, with the reason appended; nullopt where the lane is to be weighed.
/// kUnavailable or kForbidden where no permitted lane can serve the work.
Result<std::optional<chat::Lane>> lane_by_rule(const RouteInput& input,
                                               std::vector<chat::Reason>& reasons);

/// A reason that decided without weighing.
chat::Reason rule(std::string layer, std::string text);

}  // namespace minimill::route
