#include "base/rfc3339.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

namespace minimill {

std::string rfc3339(WallTime time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  // Not by way of system_clock, whose nanoseconds end in 2262.
  const auto seconds = static_cast<std::time_t>(whole.time_since_epoch().count());
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), (time - whole).count());
}

}  // namespace minimill
