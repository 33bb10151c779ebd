#include "simcloud/named_time.h"

#include <charconv>
#include <string>

namespace minimill::simcloud {

std::optional<std::chrono::nanoseconds> named_time(std::string_view who, std::string_view prompt) {
  constexpr double kLongest_s = 3600;
  if (who.empty()) return std::nullopt;
  const std::string mark = std::string(who) + " takes ";
  const auto at = prompt.rfind(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view number = prompt.substr(at + mark.size());
  double seconds = -1;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), seconds);
  if (error != std::errc{} || !(seconds >= 0 && seconds <= kLongest_s)) return std::nullopt;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(seconds));
}

}  // namespace minimill::simcloud
