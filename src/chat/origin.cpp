#include "chat/origin.h"

#include <fmt/format.h>

#include <array>

namespace minimill::chat {
namespace {

constexpr std::array<std::string_view, 6> kNames{"app",    "task",    "batch",
                                                 "shadow", "planner", "eval"};

}  // namespace

std::string_view name(Origin origin) { return kNames[static_cast<std::size_t>(origin)]; }

Result<Origin> parse_origin(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == text) return static_cast<Origin>(i);
  }
  return fail_field("origin", fmt::format("no origin '{}'", text));
}

}  // namespace minimill::chat
