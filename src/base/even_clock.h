#pragma once

// A wall clock that cannot jump under those who use it: the system's wall time as it was at the
// last look, carried on by the steady clock. An administrator or NTP may move the system's clock by
// hours; here nothing moves before catch_up(), whose caller learns by how much and moves what is
// stored along in the same turn, so that no time of the old count is mixed with one of the new.
//
//   EvenClock clock(system);
//   if (const Millis jump = clock.catch_up(); jump != Millis{0}) store.shift(jump);
//
// A machine that was asleep looks like one whose clock jumped forward, and is treated so: what
// remained of every delay remains. Thread-safe where its source is; catch_up() from one thread.

#include <atomic>

#include "base/clock.h"

namespace minimill {

class EvenClock final : public Clock {
 public:
  /// Less is the slow correction of a clock that is well kept: followed, and not worth a word.
  static constexpr Millis kJump{2'000};

  explicit EvenClock(const Clock& source) : source_(source), ahead_(difference()) {}

  WallTime wall() const override {
    return WallTime{std::chrono::floor<Millis>(source_.steady().time_since_epoch()) +
                    Millis{ahead_.load(std::memory_order_relaxed)}};
  }
  SteadyTime steady() const override { return source_.steady(); }

  /// Follows the source. The jump, where it was one: negative where the clock was put back.
  Millis catch_up();

 private:
  /// Wall time less steady time, in ms.
  Millis::rep difference() const;

  const Clock& source_;
  std::atomic<Millis::rep> ahead_;
};

}  // namespace minimill
