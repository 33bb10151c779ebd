#pragma once

// Spans of time as people write them: "90", "90s", "15m", "8h", "2d".

#include <string_view>

#include "base/error.h"

namespace minimill::cli {

/// In seconds, more than 0 and at most a year. `option` is named in the error.
Result<double> parse_seconds(std::string_view text, std::string_view option);

}  // namespace minimill::cli
