#pragma once

// Time is a parameter: whoever schedules, measures or learns takes a Clock, so that the code that
// serves also runs in tests and simulations, a thousand times faster.

#include <chrono>

namespace minimill {

using Millis = std::chrono::milliseconds;
using WallTime = std::chrono::sys_time<Millis>;            // what is stored and shown
using SteadyTime = std::chrono::steady_clock::time_point;  // what durations are measured with

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;
  virtual SteadyTime steady() const = 0;
};

/// The operating system's clocks. Thread-safe.
class SystemClock final : public Clock {
 public:
  WallTime wall() const override;
  SteadyTime steady() const override;
};

/// Stands still until told otherwise. Not thread-safe.
class ManualClock final : public Clock {
 public:
  WallTime wall() const override { return wall_; }
  SteadyTime steady() const override { return steady_; }

  void advance(std::chrono::nanoseconds by) {
    steady_ += std::chrono::duration_cast<SteadyTime::duration>(by);
    wall_ += std::chrono::duration_cast<Millis>(by);
  }
  /// Moves the wall clock alone, as an administrator or NTP may.
  void jump_wall(Millis by) { wall_ += by; }

 private:
  WallTime wall_{std::chrono::hours{24 * 365 * 50}};
  // Later than any machine has been up: a real timer that waits for a point of this clock must not
  // fire by itself.
  SteadyTime steady_{std::chrono::hours{24 * 365 * 50}};
};

/// A duration as a number, for the ledger and for people.
inline double in_ms(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

/// Milliseconds since 1970, as SQLite columns and JSON fields carry it.
inline std::int64_t unix_ms(WallTime time) { return time.time_since_epoch().count(); }
/// Whole seconds, as most wire formats count.
inline std::int64_t unix_s(WallTime time) { return unix_ms(time) / 1000; }
inline WallTime from_unix_ms(std::int64_t ms) { return WallTime{Millis{ms}}; }

}  // namespace minimill
