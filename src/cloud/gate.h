#pragma once

// One provider's door: lets in as many requests as it takes at once, and lets who waits before it
// in fairly: apps in turns of equal time, an app's own in the order in which they came.
//
//   if (!gate.lets_in(guest)) gate.wait(guest);   // guest.tell() comes when a place is kept for it
//   … gate.enter(guest) …                         // else guest.leave(): the place goes to the next
//
// A guest may wait before several doors; the first that opens keeps a place, and it leaves the
// others. Event-loop thread only.

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "cloud/concurrency_limit.h"
#include "lane/fair_queue.h"

namespace minimill::cloud {

class Gate;

/// Who wants in. Has to leave() before it is gone.
class Guest {
 public:
  virtual ~Guest() = default;
  Guest() = default;
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;

  std::string app;
  std::uint64_t number = 0;  // smaller goes first, of an app's
  double service_s = 1;      // what it is expected to take
  /// A place is kept for it: to be looked at soon, not from within the call.
  virtual void tell() = 0;
  /// Waits nowhere any more; a place that was kept for it goes to the next.
  void leave();
  /// Before how many doors it waits.
  bool waits() const { return !before_.empty(); }

 private:
  friend class Gate;
  std::vector<Gate*> before_;
  Gate* kept_at_ = nullptr;
};

class Gate {
 public:
  explicit Gate(std::optional<int> most = std::nullopt) : limit_(most) {}
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  /// May `guest` enter now? Nobody overtakes who waits.
  bool lets_in(const Guest& guest) const;
  /// Once only before it leaves or enters.
  void wait(Guest& guest);
  /// It leaves wherever it waits.
  ConcurrencyLimit::Permit enter(Guest& guest, SteadyTime now);

  void accepted(const ConcurrencyLimit::Permit& permit, std::optional<double> slowdown,
                SteadyTime now);
  ConcurrencyLimit::Refusal refused(const ConcurrencyLimit::Permit& permit);
  void exit();

  int limit() const { return limit_.limit(); }
  int in_flight() const { return limit_.in_flight(); }
  std::size_t waiting() const { return queue_.size(); }

 private:
  friend class Guest;
  static lane::FairQueue::Entry entry_of(const Guest& guest);
  int room() const { return limit_.limit() - limit_.in_flight() - kept_; }
  /// Keeps places for whoever is next.
  void call();

  ConcurrencyLimit limit_;
  lane::FairQueue queue_;
  std::unordered_map<std::uint64_t, Guest*> guests_;  // who waits, by number
  int kept_ = 0;
};

}  // namespace minimill::cloud
