#include "cli/duration.h"

#include <fmt/format.h>

#include <charconv>
#include <string>

namespace minimill::cli {
namespace {

constexpr double kYear_s = 366.0 * 86'400;

/// Seconds in a unit; 0 for what is none.
double unit_of(std::string_view text) {
  if (text.empty() || text == "s") return 1;
  if (text == "m") return 60;
  if (text == "h") return 3'600;
  return text == "d" ? 86'400 : 0;
}

}  // namespace

Result<double> parse_seconds(std::string_view text, std::string_view option) {
  double number = 0;
  const char* last = text.data() + text.size();
  const auto [end, ec] = std::from_chars(text.data(), last, number, std::chars_format::fixed);
  const double seconds =
      ec == std::errc{} ? number * unit_of({end, static_cast<std::size_t>(last - end)}) : 0;
  if (seconds > 0 && seconds <= kYear_s) return seconds;
  return fail_field(std::string(option), fmt::format("'{}' is no span of time", text),
                    "for example 90s, 15m, 8h or 2d");
}

}  // namespace minimill::cli
