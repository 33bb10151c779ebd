#include "base/rfc3339.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace minimill {

std::string rfc3339(WallTime time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(whole)),
                     (time - whole).count());
}

}  // namespace minimill
