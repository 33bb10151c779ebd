#pragma once

// Points in time as people and JSON carry them: RFC 3339 in UTC, "2026-11-20T22:04:05.123Z".

#include <string>

#include "base/clock.h"

namespace minimill {

std::string rfc3339(WallTime time);

}  // namespace minimill
