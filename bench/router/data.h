#pragma once

// The shared data that the router is measured on; read in place, never copied.

#include <string>
#include <vector>

#include "base/error.h"
#include "route/router.h"

namespace minimill::bench {

struct RoutedPrompt {
  route::RouteInput input;
  std::string set;     // "mmlu", "gsm8k"
  std::string domain;  // becomes its operation
  bool weak_ok = false;
  bool strong_ok = false;
};
Result<std::vector<RoutedPrompt>> read_prompts(const std::string& folder);

struct Utterance {
  route::RouteInput input;
  std::string intent;
};
struct Intents {
  std::vector<Utterance> train;
  std::vector<Utterance> val;
  std::vector<Utterance> oos_train;
  std::vector<Utterance> oos_val;
};
Result<Intents> read_intents(const std::string& folder);

/// Xorshift (Marsaglia 2003): the same numbers on every machine.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2862933555777941757U + 3037000493U) {}
  std::uint64_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 7;
    state_ ^= state_ << 17;
    return state_;
  }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(next() >> 11) % n; }
  double uniform() { return static_cast<double>(next() >> 11) / 9007199254740992.0; }
  bool chance(double p) { return uniform() < p; }
  template <typename T>
  void shuffle(std::vector<T>& all) {
    for (std::size_t i = all.size(); i > 1; --i) std::swap(all[i - 1], all[below(i)]);
  }

 private:
  std::uint64_t state_;
};

}  // namespace minimill::bench
