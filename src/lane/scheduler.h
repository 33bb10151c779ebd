#pragma once

// Who is next, and where. Two lanes, each with its own slots and queues, so that quick work never
// waits behind slow work.
//
// Within a lane interactive requests go before background tasks, and each kind has a slot that the
// other leaves to it. Apps share a lane fairly (FairQueue). An app's own jobs are started in order
// of when each is due: `stretch` times its predicted time after it came, or earlier where it has a
// deadline. The shorter of two that came together goes first; the longer one ages until it is its
// turn, so that nothing starves (earliest deadline first with deadlines from a bound on stretch:
// Bender, Chakrabarti and Muthukrishnan, SODA 1998).
//
// Between the lanes: a job that waits in one lane and may run in the other is started there, where
// a slot is free that nobody of that lane wants, once waiting costs more than going there does.
// What waiting costs is priced anew whenever it is asked: by how long what runs has run, and by
// what the lane's services have shown of its predictions (TimeOnTest).
//
// Pure: no clock, no I/O, no threads; time is in seconds on whatever clock the caller has, and the
// caller alone knows how long things really take. The daemon (Lanes) and the simulation
// (simulate()) run this very code. Every operation is O(log n) in the number of jobs that wait.

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/error.h"
#include "chat/decision.h"
#include "lane/fair_queue.h"
#include "lane/test_time.h"

namespace minimill::lane {

enum class Priority { kInteractive, kBackground };
inline constexpr int kPriorities = 2;

template <class T>
using PerLane = std::array<T, chat::kLaneCount>;

constexpr chat::Lane other(chat::Lane lane) {
  return lane == chat::Lane::kLocal ? chat::Lane::kCloud : chat::Lane::kLocal;
}

/// What carrying a job out in a lane is expected to take.
struct Estimate {
  static constexpr int kMany = 1'000'000;
  double service_s = 1;
  double usd = 0;
  int observed = kMany;  // services that have ended that service_s rests on; few are believed less
};

/// What a job is, for whoever looks at the queue; nothing is scheduled by it.
struct About {
  std::string task;  // "": an app's request
  std::string run;
  std::string title;
  std::string operation;
};

struct Job {
  chat::Lane lane = chat::Lane::kLocal;  // where it belongs
  Priority priority = Priority::kBackground;
  std::string app;                      // lanes are shared fairly between apps
  PerLane<std::optional<Estimate>> in;  // where it may run: in `lane` always, elsewhere if set
  std::optional<double> deadline_s;     // when it is to have ended
  About about{};
};

/// Why a job runs in another lane than its own.
enum class Move { kNone, kBacklog, kAge, kDeadline };

struct SchedulerOptions {
  enum class Order { kFirstCome, kStretch };

  static constexpr int kNoBound = std::numeric_limits<int>::max();

  PerLane<int> slots{2, 4};
  /// Slots that background tasks may take at once: where there are plenty, they do not swamp them.
  PerLane<int> most_background{kNoBound, kNoBound};
  std::size_t max_interactive = 1024;    // waiting, per lane
  std::size_t max_background = 200'000;  // these are kept on disk: it is memory that is bounded
  Order order = Order::kStretch;
  bool balance = true;  // jobs may change lanes
  double stretch = 10;  // times its predicted time after which a job is due
  std::array<double, kPriorities> usd_per_h{10, 0.2};  // what waiting costs: apps', tasks'
  /// What a second in service costs, as a share of what a second of waiting does.
  double running_share = 0.2;
  /// A lane of two slots keeps one for apps for so long after one has asked; a larger one always.
  double keep_s = 300;
  bool times_known = false;  // predictions are the truth: only a simulation can say so
};

class Scheduler {
 public:
  explicit Scheduler(SchedulerOptions options);

  /// kRateLimited when that queue is full. A ticket's number is used once.
  Result<> enqueue(TicketId ticket, const Job& job, double now_s);

  struct Start {
    TicketId ticket = 0;
    Move move = Move::kNone;
  };
  /// Whom to start now in the lane, if it has a free slot and somebody may take it. Ask for both
  /// lanes after anything has happened. The slot is taken.
  std::optional<Start> start_next(chat::Lane lane, double now_s);
  /// When to ask again though nothing happens: waiting may have become dearer than moving.
  std::optional<double> review_at(double now_s) const;

  enum class End { kWhole, kCutShort };
  /// A started ticket has ended; its slot is free. One that failed or was left was cut short: it
  /// says how long its service takes at least.
  void finish(TicketId ticket, double now_s, End end = End::kWhole);
  /// A waiting ticket leaves. False where it is not waiting.
  bool withdraw(TicketId ticket);
  /// As many as the engines, or the providers, really take at once. What runs goes on.
  void set_slots(chat::Lane lane, int slots) { options_.slots[chat::index(lane)] = slots; }

  std::size_t waiting(chat::Lane lane) const;
  struct Waiter {
    const Job& job;
    double waited_s = 0;
  };
  /// Who has waited longest in the lane, at most `limit`. Looks at kMostLooked jobs at most.
  std::vector<Waiter> waiters(chat::Lane lane, std::size_t limit, double now_s) const;
  static constexpr std::size_t kMostLooked = 2'000;
  int running(chat::Lane lane) const { return lanes_[chat::index(lane)].running; }
  /// How long a job that came now would wait in the lane, by what is predicted.
  double expected_wait_s(chat::Lane lane, Priority priority, double now_s) const;
  /// How many slots work of that kind shares.
  int slots_for(chat::Lane lane, Priority priority) const;
  const SchedulerOptions& options() const { return options_; }

 private:
  struct Waiting {
    Job job;
    double arrived_s = 0;
    FairQueue::Entry entry;
    double leaves_s = 0;  // when it will have waited for as long as leaving costs, as predicted
  };
  struct Running {
    chat::Lane lane = chat::Lane::kLocal;
    Priority priority = Priority::kBackground;
    std::string app;
    Prediction prediction;
    double started_s = 0;
    bool moved = false;
  };
  using Ranking = std::set<std::pair<double, TicketId>>;
  struct LaneState {
    std::array<FairQueue, kPriorities> queues;
    /// Those who may go to the other lane, by when they will have waited for as long as that costs:
    /// who came first, among equals; and who is foretold too long over there holds up nobody.
    std::array<Ranking, kPriorities> movable;
    /// Those of them that have a deadline, by it.
    std::array<Ranking, kPriorities> hurried;
    int running = 0;
    std::array<int, kPriorities> running_of{};
    int most_background = SchedulerOptions::kNoBound;
    TimeOnTest test;
    double app_asked_s = -1e18;  // when an interactive request came last
  };

  /// The part of what runs in a lane that is in the slots which work of that kind shares.
  double running_share_for(chat::Lane lane, Priority priority) const;
  /// What is left of what runs in those slots, for each of them.
  double rest_per_slot_s(chat::Lane lane, Priority priority, double now_s) const;
  bool has_slot(const LaneState& lane, int slots, Priority priority, double now_s) const;
  std::optional<TicketId> own(const LaneState& lane, int slots, double now_s) const;
  std::optional<Start> from_other_lane(chat::Lane lane, double now_s) const;
  std::optional<TicketId> overdue_in_other_lane(chat::Lane lane, double now_s) const;
  bool is_overdue(const Waiting& waiting, chat::Lane to, double now_s) const;
  Move worth_moving(const Waiting& waiting, chat::Lane to, double now_s) const;
  double until_worth_moving_s(const Waiting& waiting, chat::Lane to, double now_s) const;
  double gain_s(const Waiting& waiting, chat::Lane to, double now_s) const;
  double moving_cost_s(const Job& job, chat::Lane to, PerLane<double> factors) const;
  double dearer_s(const Job& job, chat::Lane to) const;
  PerLane<double> factors(double now_s) const;
  double factor(chat::Lane lane, double now_s) const;
  double rest_s(chat::Lane lane, double now_s) const;
  void remove(TicketId ticket, const Waiting& waiting);
  void start(TicketId ticket, chat::Lane lane, double now_s);

  SchedulerOptions options_;
  PerLane<LaneState> lanes_;
  std::map<TicketId, Waiting> waiting_;  // in order of arrival
  std::unordered_map<TicketId, Running> running_;
};

}  // namespace minimill::lane
