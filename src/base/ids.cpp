#include "base/ids.h"

#include <random>

namespace minimill {

IdSource::IdSource(const Clock& clock, std::uint64_t seed) : clock_(clock), state_(seed) {
  if (state_ == 0) {
    std::random_device device;
    state_ = (std::uint64_t{device()} << 32) | device();
  }
}

// SplitMix64 (Steele, Lea, Flood 2014): ids need to be distinct, not secret.
std::uint64_t IdSource::random() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

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
    std::uint64_t bits = random();
    for (int i = 0; i < kRandomHalf; ++i, bits >>= 5) id += kAlphabet[bits & 31];
  }
  return id;
}

}  // namespace minimill
