#pragma once

// Randomness is a parameter, like time: whoever draws takes a Random, so that simulations and
// tests replay from their seed while the daemon's ids cannot be guessed.

#include <array>
#include <cstddef>
#include <cstdint>

namespace minimill {

class Random {
 public:
  virtual ~Random() = default;
  /// 64 bits, each as likely as not.
  virtual std::uint64_t bits() = 0;
  /// Evenly in [0, 1).
  double unit();
};

/// The kernel's: what it has given tells nothing of what it will give. Fetched 4 kB at a time; a
/// draw then costs a copy. Not thread-safe. Throws std::system_error where the kernel has none.
class SystemRandom final : public Random {
 public:
  std::uint64_t bits() override;

 private:
  static constexpr std::size_t kWords = 512;
  std::array<std::uint64_t, kWords> words_{};  // given ones are zero again
  std::size_t next_ = kWords;
};

/// The same numbers from the same seed (SplitMix64; Steele, Lea, Flood 2014), for simulations,
/// tests and whatever need not be secret. One number gives away all that follow.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits() override;

 private:
  std::uint64_t state_;
};

}  // namespace minimill
