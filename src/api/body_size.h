#pragma once

// Bodies that are too big for the event loop: from kBig on they are read on a thread of their own,
// one at a time, so that neither the others wait nor many of them are in memory as JSON at once.

#include <cstddef>
#include <string_view>

#include "base/error.h"

namespace minimill::api {

inline constexpr std::size_t kBigBody = 64 << 10;

/// Values a body may have: each takes tens of bytes once it is read, however few it was sent in.
inline constexpr std::size_t kMaxValues = 2'000'000;

/// kTooLarge for JSON of more values than that, told by its commas.
Result<> check_values(std::string_view body);

}  // namespace minimill::api
