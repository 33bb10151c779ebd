#include "base/ids.h"

namespace minimill {

std::string IdSource::prefixed(std::string_view prefix) {
  constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  constexpr int kTimeChars = 10;
  constexpr int kRandomHalf = 8;

  std::string id;
  id.reserve(prefix.size() + std::size_t{kTimeChars + 2 * kRandomHalf});
  id += prefix;
  const auto ms = static_cast<std::uint64_t>(unix_ms(clock_.wall()));
  for (int i = kTimeChars - 1; i >= 0; --i) id += kAlphabet[(ms >> (5 * i)) & 31];
  for (int half = 0; half < 2; ++half) {
    std::uint64_t bits = random_.bits();
    for (int i = 0; i < kRandomHalf; ++i, bits >>= 5) id += kAlphabet[bits & 31];
  }
  return id;
}

}  // namespace minimill
