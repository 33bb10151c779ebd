#pragma once

// Where a request comes from: decided by minimill, never by what a client says.

#include <string_view>

#include "base/error.h"

namespace minimill::chat {

enum class Origin {
  kApp,      // a program's own
  kTask,     // a durable task's, carried out by itself
  kBatch,    // a task's, through a provider's batch API
  kShadow,   // asked to compare the lanes
  kPlanner,  // part of another request
  kEval,     // asked to measure a rung
};

std::string_view name(Origin origin);  // "app", "task", …
Result<Origin> parse_origin(std::string_view text);

/// People wait for the answer.
constexpr bool is_interactive(Origin origin) { return origin == Origin::kApp; }

}  // namespace minimill::chat
