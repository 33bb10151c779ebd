#pragma once

// The order of stochastic training: from a seed, the same on every machine (xorshift64, Marsaglia
// 2003), so that the same examples make the same model.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace minimill::distill {

class Shuffler {
 public:
  explicit Shuffler(std::uint64_t seed) : state_((seed * 2862933555777941757U) + 3037000493U) {}

  template <typename T>
  void shuffle(std::vector<T>& all) {
    for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[below(i)]);
  }
  std::size_t below(std::size_t n) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return static_cast<std::size_t>(state_ >> 11) % n;
  }

 private:
  std::uint64_t state_;
};

}  // namespace minimill::distill
