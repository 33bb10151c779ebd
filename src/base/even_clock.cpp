#include "base/even_clock.h"

namespace minimill {

Millis EvenClock::catch_up() {
  const Millis::rep now = difference();
  const Millis moved{now - ahead_.exchange(now, std::memory_order_relaxed)};
  return std::chrono::abs(moved) > kJump ? moved : Millis{0};
}

Millis::rep EvenClock::difference() const {
  const auto steady = std::chrono::floor<Millis>(source_.steady().time_since_epoch());
  return (source_.wall().time_since_epoch() - steady).count();
}

}  // namespace minimill
