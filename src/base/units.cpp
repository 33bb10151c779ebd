#include "base/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <span>
#include <utility>

namespace minimill {
namespace {

using Unit = std::pair<std::string_view, double>;

constexpr std::array<Unit, 5> kTime{{{"", 1}, {"s", 1}, {"m", 60}, {"h", 3'600}, {"d", 86'400}}};
constexpr std::array<Unit, 10> kSize{{{"", 1},
                                      {"B", 1},
                                      {"kB", 1e3},
                                      {"MB", 1e6},
                                      {"GB", 1e9},
                                      {"TB", 1e12},
                                      {"KiB", 0x1p10},
                                      {"MiB", 0x1p20},
                                      {"GiB", 0x1p30},
                                      {"TiB", 0x1p40}}};

std::optional<double> parse(std::string_view text, std::span<const Unit> units) {
  double number = 0;
  const char* last = text.data() + text.size();
  const auto [end, ec] = std::from_chars(text.data(), last, number, std::chars_format::fixed);
  if (ec != std::errc{} || !std::isfinite(number) || number < 0) return std::nullopt;
  const std::string_view written(end, static_cast<std::size_t>(last - end));
  for (const auto& [name, size] : units) {
    if (name == written) return number * size;
  }
  return std::nullopt;
}

}  // namespace

std::optional<double> parse_seconds(std::string_view text) { return parse(text, kTime); }

std::optional<std::int64_t> parse_bytes(std::string_view text) {
  constexpr double kMost = 0x1p62;
  const std::optional<double> bytes = parse(text, kSize);
  if (!bytes || *bytes > kMost) return std::nullopt;
  return static_cast<std::int64_t>(*bytes);
}

}  // namespace minimill
