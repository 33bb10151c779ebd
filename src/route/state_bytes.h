#pragma once

// Numbers as bytes, for the router's saved state: little-endian machines only, which all we build
// for are.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace minimill::route {

static_assert(std::endian::native == std::endian::little);

template <typename Number>
  requires std::is_arithmetic_v<Number>
void append_number(std::string& out, Number number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

/// Mostly noughts in a young state: written as runs of (noughts, numbers) and the numbers.
template <typename Number>
void append_numbers(std::string& out, const std::vector<Number>& numbers) {
  constexpr std::size_t kWorthSkipping = 16;
  std::size_t at = 0;
  while (at < numbers.size()) {
    const std::size_t first = at;
    while (at < numbers.size() && numbers[at] == 0) ++at;
    const std::size_t from = at;
    std::size_t noughts = 0;
    while (at < numbers.size() && noughts < kWorthSkipping) {
      noughts = numbers[at] == 0 ? noughts + 1 : 0;
      ++at;
    }
    const std::size_t until = noughts == kWorthSkipping ? at - noughts : at;
    append_number(out, static_cast<std::uint32_t>(from - first));
    append_number(out, static_cast<std::uint32_t>(until - from));
    out.append(reinterpret_cast<const char*>(numbers.data() + from),
               (until - from) * sizeof(Number));
    at = until;
  }
}

/// Nothing that is learnt comes near this; beyond it sums and squares would not stay finite.
inline constexpr double kMostNumber = 1e9;
/// Of what is counted, so that counting on is safe.
inline constexpr std::int64_t kMostCounted = 1'000'000'000'000'000;

template <typename Number>
[[nodiscard]] bool is_learnable(Number number) {
  if constexpr (std::is_floating_point_v<Number>) {
    return std::abs(number) <= static_cast<Number>(kMostNumber);  // false of what is no number
  } else if constexpr (sizeof(Number) == sizeof(std::int64_t)) {
    return number >= 0 && number <= static_cast<Number>(kMostCounted);
  } else {
    return true;
  }
}

/// Takes a number off the front; false where the bytes end, or where it is none that can be learnt.
template <typename Number>
  requires std::is_arithmetic_v<Number>
[[nodiscard]] bool take_number(std::string_view& bytes, Number& number) {
  if (bytes.size() < sizeof number) return false;
  bytes.copy(reinterpret_cast<char*>(&number), sizeof number);
  bytes.remove_prefix(sizeof number);
  return is_learnable(number);
}

/// Fills the vector, whose size is known and whose numbers are nought.
template <typename Number>
[[nodiscard]] bool take_numbers(std::string_view& bytes, std::vector<Number>& numbers) {
  std::size_t at = 0;
  while (at < numbers.size()) {
    std::uint32_t noughts = 0;
    std::uint32_t count = 0;
    if (!take_number(bytes, noughts) || !take_number(bytes, count)) return false;
    const std::size_t left = numbers.size() - at;
    const std::size_t size = std::size_t{count} * sizeof(Number);
    if (noughts > left || count > left - noughts || size > bytes.size()) return false;
    if (noughts + count == 0) return false;  // would never end
    at += noughts;
    bytes.copy(reinterpret_cast<char*>(numbers.data() + at), size);
    bytes.remove_prefix(size);
    at += count;
  }
  return std::ranges::all_of(numbers, is_learnable<Number>);
}

inline constexpr std::size_t kMostText = 4096;  // bytes; what is longer is cut between characters

inline void append_text(std::string& out, std::string_view text) {
  if (text.size() > kMostText) {
    const auto continues = [&text](std::size_t at) {
      return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80;
    };
    std::size_t end = kMostText;
    while (end > 0 && continues(end)) --end;
    text = text.substr(0, end);
  }
  append_number(out, static_cast<std::uint32_t>(text.size()));
  out += text;
}

[[nodiscard]] inline bool take_text(std::string_view& bytes, std::string& text) {
  std::uint32_t size = 0;
  if (!take_number(bytes, size) || size > kMostText || size > bytes.size()) return false;
  text = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return true;
}

}  // namespace minimill::route
