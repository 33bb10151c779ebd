#pragma once

// How many requests one provider takes at once: nobody says so, so it is found.
//
//   const auto permit = limit.begin(now);   // while in_flight() < limit()
//   limit.accepted(permit, slowdown, now);  // its first event or answer is there
//   limit.refused(permit);                  // or: 429, or overloaded
//   limit.end();                            // in any case, once
//
// It starts generously and doubles every round trip, until the provider first refuses. A refusal
// halves what was under way (AIMD; Chiu and Jain, 1989), at most once per round trip: whoever began
// before the last cut tells nothing new. From there it grows by half of what is missing to what the
// provider was seen to take, slowly past that point, and ever faster the further it is behind (BIC;
// Xu, Harfoush and Rhee, INFOCOM 2004), so that a provider of a fixed number is kept busy and
// seldom asked for more. It grows only while it is used.
//
// A provider that queues instead of refusing is known by its latency: LatencyProfile.
// Time comes with each call; not thread-safe.

#include <array>
#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "cloud/decayed.h"

namespace minimill::cloud {

/// How long answers take by how many were under way when they were asked for, in powers of two.
class LatencyProfile {
 public:
  /// `at_once`: with itself. `duration`: how long it took; `slowdown`: that, over what is usual for
  /// its size.
  void add(int at_once, double slowdown, std::chrono::nanoseconds duration, SteadyTime now);
  /// From how many on more at once only wait for one another: twice as many take nearly twice as
  /// long. That must be beyond chance, and cost a second each, to be believed.
  std::optional<int> knee(SteadyTime now) const;

 private:
  static constexpr std::size_t kLevels = 13;
  static constexpr std::chrono::minutes kMemory{10};
  struct Level {
    DecayedMoments log_slowdown{kMemory};
    DecayedMoments seconds{kMemory};
  };
  std::array<Level, kLevels> levels_;
};

class ConcurrencyLimit {
 public:
  static constexpr double kFirst = 256;
  static constexpr double kHighest = 4096;
  static constexpr Millis kFirstPause{1'000};  // after a lone request's refusal; doubles
  static constexpr Millis kLongestPause{60'000};

  /// `most`: never more than that.
  explicit ConcurrencyLimit(std::optional<int> most = std::nullopt);

  struct Permit {
    std::uint64_t number = 0;
    int at_once = 1;  // with itself
    SteadyTime began{};
  };
  Permit begin(SteadyTime now);
  /// `slowdown`: how long it took over what is usual for its size, where that is known.
  void accepted(const Permit& permit, std::optional<double> slowdown, SteadyTime now);

  struct Refusal {
    /// Others of ours were under way: there were too many at once, and it may go again as soon as
    /// there is room. Else the provider takes nothing now, whatever we do.
    bool crowded = false;
    Millis pause{};  // then, before the next, where the provider names no time itself
  };
  /// Before its end().
  Refusal refused(const Permit& permit);
  void end();

  /// At least 1.
  int limit() const;
  int in_flight() const { return in_flight_; }

 private:
  void look_for_knee(SteadyTime now);

  double most_;
  double window_;
  std::optional<double> ceiling_;  // what was taken when one more was refused
  std::optional<int> knee_;
  SteadyTime try_more_at_{};
  LatencyProfile profile_;
  std::uint64_t next_number_ = 0;
  std::uint64_t heard_from_ = 0;  // the first permit since the last cut
  int in_flight_ = 0;
  Millis pause_ = kFirstPause;
};

}  // namespace minimill::cloud
