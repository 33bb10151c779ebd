#include "cli/duration.h"

#include <fmt/format.h>

#include <string>

#include "base/units.h"

namespace minimill::cli {
namespace {

constexpr double kYear_s = 366.0 * 86'400;

}  // namespace

Result<double> parse_seconds(std::string_view text, std::string_view option) {
  const double seconds = minimill::parse_seconds(text).value_or(0);
  if (seconds > 0 && seconds <= kYear_s) return seconds;
  return fail_field(std::string(option), fmt::format("'{}' is no span of time", text),
                    "for example 90s, 15m, 8h or 2d");
}

}  // namespace minimill::cli
