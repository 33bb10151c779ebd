#include "lane/scheduler.h"

#include <fmt/format.h>

#include <algorithm>

namespace minimill::lane {
namespace {

constexpr double kSecondsPerHour = 3600;
constexpr double kShortest_s = 1e-3;  // predictions below it are taken for it
constexpr double kOld = 1.0 / 3;  // of the bound on stretch, from which on a job may go anywhere
constexpr int kInteractive = static_cast<int>(Priority::kInteractive);
constexpr int kBackground = static_cast<int>(Priority::kBackground);

constexpr int index(Priority priority) { return static_cast<int>(priority); }

const Estimate& estimate_in(const Job& job, chat::Lane lane) {
  static const Estimate kUnknown;
  const std::optional<Estimate>& estimate = job.in[chat::index(lane)];
  return estimate ? *estimate : kUnknown;
}

}  // namespace

Scheduler::Scheduler(SchedulerOptions options) : options_(options) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    lanes_[i].most_background = options_.most_background[i];
  }
}

Result<> Scheduler::enqueue(TicketId ticket, const Job& job, double now_s) {
  LaneState& lane = lanes_[chat::index(job.lane)];
  const int kind = index(job.priority);
  const std::size_t most =
      job.priority == Priority::kInteractive ? options_.max_interactive : options_.max_background;
  if (lane.queues[kind].size() >= most) {
    return fail(ErrorCode::kRateLimited,
                fmt::format("the {} lane's queue of {} is full", chat::name(job.lane), most),
                "try again later, or raise [lanes] max_queued");
  }
  Waiting waiting{.job = job, .arrived_s = now_s, .entry = {}};
  const double service_s = std::max(estimate_in(job, job.lane).service_s, kShortest_s);
  waiting.entry = {.ticket = ticket, .key = now_s, .service_s = service_s};
  if (options_.order == SchedulerOptions::Order::kStretch) {
    waiting.entry.key = now_s + options_.stretch * service_s;
    if (job.deadline_s) {
      waiting.entry.key = std::min(waiting.entry.key, *job.deadline_s - service_s);
    }
  }
  lane.queues[kind].push(job.app, waiting.entry);
  if (job.priority == Priority::kInteractive) lane.app_asked_s = now_s;
  if (options_.balance && job.in[chat::index(other(job.lane))]) {
    waiting.leaves_s = now_s + moving_cost_s(job, other(job.lane), {1, 1});
    lane.movable[kind].emplace(waiting.leaves_s, ticket);
    if (job.deadline_s) lane.hurried[kind].emplace(*job.deadline_s, ticket);
  }
  waiting_.emplace(ticket, std::move(waiting));
  return {};
}

void Scheduler::remove(TicketId ticket, const Waiting& waiting) {
  LaneState& lane = lanes_[chat::index(waiting.job.lane)];
  const int kind = index(waiting.job.priority);
  lane.movable[kind].erase({waiting.leaves_s, ticket});
  if (waiting.job.deadline_s) lane.hurried[kind].erase({*waiting.job.deadline_s, ticket});
}

int Scheduler::slots_for(chat::Lane lane, Priority priority) const {
  const int slots = std::max(options_.slots[chat::index(lane)], 1);
  if (priority == Priority::kInteractive) return slots;
  return std::clamp(lanes_[chat::index(lane)].most_background, 1, slots);
}

double Scheduler::running_share_for(chat::Lane which, Priority priority) const {
  const LaneState& lane = lanes_[chat::index(which)];
  const bool all = slots_for(which, priority) >= options_.slots[chat::index(which)];
  if (all || lane.running == 0) return 1;
  return static_cast<double>(lane.running_of[index(priority)]) / lane.running;
}

/// Each kind of work finds a slot that the other leaves to it, where there are enough.
bool Scheduler::has_slot(const LaneState& lane, int slots, Priority priority, double now_s) const {
  if (lane.running >= slots) return false;
  if (priority == Priority::kInteractive) {
    const bool others_wait = lane.queues[kBackground].size() > 0;
    const bool others_run = lane.running_of[kBackground] > 0;
    return slots < 2 || others_run || !others_wait || lane.running + 1 < slots;
  }
  const bool kept = slots > 2 || (slots == 2 && now_s - lane.app_asked_s < options_.keep_s);
  return lane.running_of[kBackground] < std::min(kept ? slots - 1 : slots, lane.most_background);
}

std::optional<TicketId> Scheduler::own(const LaneState& lane, int slots, double now_s) const {
  const auto front_of = [&](Priority priority) -> std::optional<FairQueue::Front> {
    if (!has_slot(lane, slots, priority, now_s)) return std::nullopt;
    return lane.queues[index(priority)].front();
  };
  const auto interactive = front_of(Priority::kInteractive);
  const auto background = front_of(Priority::kBackground);
  if (!interactive && !background) return std::nullopt;
  if (!interactive) return background->ticket;
  // Nothing starves, even where one slot serves all.
  const bool overdue = background && background->key <= now_s && lane.running_of[kBackground] == 0;
  return overdue && background->key < interactive->key ? background->ticket : interactive->ticket;
}

double Scheduler::factor(chat::Lane lane, double now_s) const {
  return options_.times_known ? 1 : lanes_[chat::index(lane)].test.factor(now_s);
}

PerLane<double> Scheduler::factors(double now_s) const {
  return {factor(chat::Lane::kLocal, now_s), factor(chat::Lane::kCloud, now_s)};
}

double Scheduler::rest_s(chat::Lane lane, double now_s) const {
  if (!options_.times_known) return lanes_[chat::index(lane)].test.rest_s(now_s);
  double sum = 0;
  for (const auto& [ticket, job] : running_) {
    const double rest_s = job.prediction.service_s - (now_s - job.started_s);
    if (job.lane == lane) sum += std::max(rest_s, 0.0);
  }
  return sum;
}

double Scheduler::rest_per_slot_s(chat::Lane lane, Priority priority, double now_s) const {
  return running_share_for(lane, priority) * rest_s(lane, now_s) / slots_for(lane, priority);
}

double Scheduler::expected_wait_s(chat::Lane which, Priority priority, double now_s) const {
  const LaneState& lane = lanes_[chat::index(which)];
  const int slots = options_.slots[chat::index(which)];
  if (has_slot(lane, slots, priority, now_s) && lane.queues[index(priority)].size() == 0) return 0;
  double queued_s = lane.queues[kInteractive].work_s();
  if (priority == Priority::kBackground) queued_s += lane.queues[kBackground].work_s();
  return rest_per_slot_s(which, priority, now_s) +
         factor(which, now_s) * queued_s / slots_for(which, priority);
}

/// Its price there, as time that waiting could take for it.
double Scheduler::dearer_s(const Job& job, chat::Lane to) const {
  return (estimate_in(job, to).usd - estimate_in(job, job.lane).usd) * kSecondsPerHour /
         std::max(options_.usd_per_h[index(job.priority)], 1e-9);
}

double Scheduler::moving_cost_s(const Job& job, chat::Lane to, PerLane<double> factors) const {
  const double here_s = factors[chat::index(job.lane)] * estimate_in(job, job.lane).service_s;
  const double there_s = factors[chat::index(to)] * estimate_in(job, to).service_s;
  return options_.running_share * (there_s - here_s) + dearer_s(job, to);
}

/// What leaving saves is what the last of the queue waits: everybody behind moves up.
double Scheduler::gain_s(const Waiting& waiting, chat::Lane to, double now_s) const {
  const Job& job = waiting.job;
  const PerLane<double> factors = this->factors(now_s);
  const int slots = slots_for(job.lane, job.priority);
  const double own_s = factors[chat::index(job.lane)] * waiting.entry.service_s / slots;
  const double saved_s = expected_wait_s(job.lane, job.priority, now_s) - own_s;
  // Whoever has waited for as long as leaving costs leaves, whatever is predicted of the rest: so
  // nobody pays more than twice the least that was possible (ski rental).
  const double waited_s = now_s - waiting.arrived_s;
  return std::max(saved_s, waited_s) - moving_cost_s(job, to, factors);
}

/// It has waited long for its size, and would go on to.
bool Scheduler::is_overdue(const Waiting& waiting, chat::Lane to, double now_s) const {
  const Job& job = waiting.job;
  const double long_s = options_.stretch * kOld * estimate_in(job, job.lane).service_s;
  if (now_s - waiting.arrived_s <= long_s) return false;
  return rest_per_slot_s(job.lane, job.priority, now_s) > dearer_s(job, to);
}

Move Scheduler::worth_moving(const Waiting& waiting, chat::Lane to, double now_s) const {
  const Job& job = waiting.job;
  if (job.deadline_s) {
    const double here_s = factor(job.lane, now_s) * estimate_in(job, job.lane).service_s;
    const double soonest = now_s + rest_per_slot_s(job.lane, job.priority, now_s) + here_s;
    const double there = now_s + factor(to, now_s) * estimate_in(job, to).service_s;
    if (soonest > *job.deadline_s && there <= *job.deadline_s) return Move::kDeadline;
  }
  if (is_overdue(waiting, to, now_s)) return Move::kAge;
  return gain_s(waiting, to, now_s) > 0 ? Move::kBacklog : Move::kNone;
}

std::optional<Scheduler::Start> Scheduler::from_other_lane(chat::Lane lane, double now_s) const {
  const LaneState& here = lanes_[chat::index(lane)];
  const LaneState& there = lanes_[chat::index(other(lane))];
  const int slots = options_.slots[chat::index(lane)];
  for (const Priority priority : {Priority::kInteractive, Priority::kBackground}) {
    if (!has_slot(here, slots, priority, now_s)) continue;
    const int kind = index(priority);
    for (const Ranking* candidates : {&there.hurried[kind], &there.movable[kind]}) {
      if (candidates->empty()) continue;
      const TicketId ticket = candidates->begin()->second;
      const Move move = worth_moving(waiting_.at(ticket), lane, now_s);
      if (move != Move::kNone) return Start{.ticket = ticket, .move = move};
    }
  }
  return std::nullopt;
}

std::optional<TicketId> Scheduler::overdue_in_other_lane(chat::Lane lane, double now_s) const {
  for (const Priority priority : {Priority::kInteractive, Priority::kBackground}) {
    const Ranking& movable = lanes_[chat::index(other(lane))].movable[index(priority)];
    if (movable.empty()) continue;
    const TicketId ticket = movable.begin()->second;
    const int slots = options_.slots[chat::index(lane)];
    if (!has_slot(lanes_[chat::index(lane)], slots, priority, now_s)) continue;
    if (is_overdue(waiting_.at(ticket), lane, now_s)) return ticket;
  }
  return std::nullopt;
}

void Scheduler::start(TicketId ticket, chat::Lane lane, double now_s) {
  auto node = waiting_.extract(ticket);
  Waiting& waiting = node.mapped();
  const int kind = index(waiting.job.priority);
  remove(ticket, waiting);
  FairQueue& queue = lanes_[chat::index(waiting.job.lane)].queues[kind];
  const bool moved = lane != waiting.job.lane;
  moved ? queue.erase(waiting.job.app, waiting.entry) : queue.serve(waiting.job.app, waiting.entry);
  const Estimate& estimate = estimate_in(waiting.job, lane);
  const Prediction prediction{.service_s = std::max(estimate.service_s, kShortest_s),
                              .trust = trust_in(estimate.observed)};
  running_.emplace(ticket, Running{.lane = lane,
                                   .priority = waiting.job.priority,
                                   .app = std::move(waiting.job.app),
                                   .prediction = prediction,
                                   .started_s = now_s,
                                   .moved = moved});
  LaneState& state = lanes_[chat::index(lane)];
  ++state.running;
  ++state.running_of[kind];
  state.test.start(prediction, now_s);
}

std::optional<Scheduler::Start> Scheduler::start_next(chat::Lane lane, double now_s) {
  const LaneState& state = lanes_[chat::index(lane)];
  const int slots = options_.slots[chat::index(lane)];
  if (state.running >= slots) return std::nullopt;
  std::optional<Start> next;
  if (const std::optional<TicketId> ticket = own(state, slots, now_s)) {
    next = Start{.ticket = *ticket, .move = Move::kNone};
  }
  if (options_.balance && !next) next = from_other_lane(lane, now_s);
  if (options_.balance && next && next->move == Move::kNone) {
    // Whoever is about to be overdue over there goes before who has time here.
    const std::optional<TicketId> overdue = overdue_in_other_lane(lane, now_s);
    const double key = waiting_.at(next->ticket).entry.key;
    if (overdue && waiting_.at(*overdue).entry.key < key) {
      next = Start{.ticket = *overdue, .move = Move::kAge};
    }
  }
  if (next) start(next->ticket, lane, now_s);
  return next;
}

/// Between events both what waiting costs and what moving does grow linearly with time.
double Scheduler::until_worth_moving_s(const Waiting& waiting, chat::Lane to, double now_s) const {
  constexpr double kSoonest_s = 0.02;
  constexpr double kLatest_s = 1;  // a deadline or the job's age may decide sooner
  const double gain_s = this->gain_s(waiting, to, now_s);
  const double per_s = (this->gain_s(waiting, to, now_s + kSoonest_s) - gain_s) / kSoonest_s;
  return per_s > 0 ? std::clamp(-gain_s / per_s, kSoonest_s, kLatest_s) : kLatest_s;
}

std::optional<double> Scheduler::review_at(double now_s) const {
  if (!options_.balance) return std::nullopt;
  std::optional<double> soonest_s;
  for (const chat::Lane lane : {chat::Lane::kLocal, chat::Lane::kCloud}) {
    const chat::Lane to = other(lane);
    if (lanes_[chat::index(to)].running >= options_.slots[chat::index(to)]) continue;
    for (const Ranking& movable : lanes_[chat::index(lane)].movable) {
      if (movable.empty()) continue;
      const Waiting& waiting = waiting_.at(movable.begin()->second);
      const double until_s = until_worth_moving_s(waiting, to, now_s);
      soonest_s = std::min(soonest_s.value_or(until_s), until_s);
    }
  }
  if (!soonest_s) return std::nullopt;
  return now_s + *soonest_s;
}

void Scheduler::finish(TicketId ticket, double now_s, End end) {
  const auto found = running_.find(ticket);
  if (found == running_.end()) return;
  const Running& job = found->second;
  LaneState& lane = lanes_[chat::index(job.lane)];
  const int kind = index(job.priority);
  // A lane that was free for who came from the other one charges nobody for it.
  if (!job.moved) {
    lane.queues[kind].correct(job.app, (now_s - job.started_s) - job.prediction.service_s);
  }
  --lane.running;
  --lane.running_of[kind];
  lane.test.finish(job.prediction, job.started_s, end == End::kWhole, now_s);
  running_.erase(found);
}

bool Scheduler::withdraw(TicketId ticket) {
  const auto found = waiting_.find(ticket);
  if (found == waiting_.end()) return false;
  remove(ticket, found->second);
  lanes_[chat::index(found->second.job.lane)].queues[index(found->second.job.priority)].erase(
      found->second.job.app, found->second.entry);
  waiting_.erase(found);
  return true;
}

std::size_t Scheduler::waiting(chat::Lane lane) const {
  const LaneState& state = lanes_[chat::index(lane)];
  return state.queues[kInteractive].size() + state.queues[kBackground].size();
}

std::vector<Scheduler::Waiter> Scheduler::waiters(chat::Lane lane, std::size_t limit,
                                                  double now_s) const {
  std::vector<Waiter> longest;
  const std::size_t there = std::min(limit, waiting(lane));
  std::size_t looked = 0;
  for (const auto& [ticket, waiting] : waiting_) {
    if (longest.size() == there || ++looked > kMostLooked) break;
    if (waiting.job.lane != lane) continue;
    longest.push_back({.job = waiting.job, .waited_s = now_s - waiting.arrived_s});
  }
  return longest;
}

}  // namespace minimill::lane
