#include "base/random.h"

#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace minimill {
namespace {

void fill(void* bytes, std::size_t size) {
  constexpr std::size_t kMostAtOnce = 256;  // getentropy's own limit
  for (std::size_t done = 0; done < size; done += kMostAtOnce) {
    const std::size_t some = std::min(kMostAtOnce, size - done);
    if (::getentropy(static_cast<std::byte*>(bytes) + done, some) != 0) {
      throw std::system_error(errno, std::generic_category(), "the kernel gives no random bytes");
    }
  }
}

}  // namespace

double Random::unit() {
  constexpr int kBeyondMantissa = 11;  // of 64 bits, a double keeps 53
  return static_cast<double>(bits() >> kBeyondMantissa) * 0x1.0p-53;
}

std::uint64_t SystemRandom::bits() {
  if (next_ == kWords) {
    fill(words_.data(), sizeof(words_));
    next_ = 0;
  }
  return std::exchange(words_[next_++], 0);
}

std::uint64_t SeededRandom::bits() {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace minimill
