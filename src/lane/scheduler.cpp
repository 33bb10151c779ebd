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

Scheduler::Scheduler(SchedulerOptions options) : options_(options) {}

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
    lane.movable[kind].emplace(now_s, ticket);
    if (job.deadline_s) lane.hurried[kind].emplace(*job.deadline_s, ticket);
  }
  waiting_.emplace(ticket, std::move(waiting));
  return {};
}

void Scheduler::remove(TicketId ticket, const Waiting& waiting) {
  LaneState& lane = lanes_[chat::index(waiting.job.lane)];
  const int kind = index(waiting.job.priority);
  lane.movable[kind].erase({waiting.arrived_s, ticket});
  if (waiting.job.deadline_s) lane.hurried[kind].erase({*waiting.job.deadline_s, ticket});
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
  return lane.running_of[kBackground] < (kept ? slots - 1 : slots);
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

/// Service times of language models are so spread that the time a job has run says little of how
/// long it goes on (for an exponential one, nothing); one that has run longer than predicted is
/// taken to be half done.
double Scheduler::residual_s(const LaneState& lane, double now_s) const {
  double sum = 0;
  for (const auto& [ticket, job] : lane.jobs) {
    const double ran_s = now_s - job->started_s;
    sum += options_.times_known ? std::max(job->predicted_s - ran_s, 0.0)
                                : std::max(job->predicted_s, ran_s);
  }
  return sum;
}

double Scheduler::expected_wait_s(chat::Lane which, Priority priority, double now_s) const {
  const LaneState& lane = lanes_[chat::index(which)];
  const int slots = std::max(options_.slots[chat::index(which)], 1);
  if (has_slot(lane, slots, priority, now_s) && lane.queues[index(priority)].size() == 0) return 0;
  double work_s = residual_s(lane, now_s) + lane.queues[kInteractive].work_s();
  if (priority == Priority::kBackground) work_s += lane.queues[kBackground].work_s();
  return work_s / slots;
}

Move Scheduler::worth_moving(const Waiting& waiting, chat::Lane to, double now_s) const {
  const Job& job = waiting.job;
  const Estimate& here = estimate_in(job, job.lane);
  const Estimate& there = estimate_in(job, to);
  const LaneState& lane = lanes_[chat::index(job.lane)];
  const int slots = std::max(options_.slots[chat::index(job.lane)], 1);
  if (job.deadline_s) {
    const double soonest = now_s + residual_s(lane, now_s) / slots + here.service_s;
    if (soonest > *job.deadline_s && now_s + there.service_s <= *job.deadline_s) {
      return Move::kDeadline;
    }
  }
  const double dearer_s = (there.usd - here.usd) * kSecondsPerHour /
                          std::max(options_.usd_per_h[index(job.priority)], 1e-9);
  // What leaving saves is what the last of the queue waits: everybody behind moves up.
  const double saved_s =
      expected_wait_s(job.lane, job.priority, now_s) - waiting.entry.service_s / slots;
  const bool old = now_s - waiting.arrived_s > options_.stretch * kOld * here.service_s;
  if (old && residual_s(lane, now_s) / slots > dearer_s) return Move::kAge;
  const double cost_s = options_.running_share * (there.service_s - here.service_s) + dearer_s;
  return saved_s > cost_s ? Move::kBacklog : Move::kNone;
}

std::optional<Scheduler::Start> Scheduler::from_other_lane(chat::Lane lane, double now_s) const {
  const LaneState& here = lanes_[chat::index(lane)];
  const LaneState& there = lanes_[chat::index(other(lane))];
  const int slots = options_.slots[chat::index(lane)];
  for (const Priority priority : {Priority::kInteractive, Priority::kBackground}) {
    if (!has_slot(here, slots, priority, now_s)) continue;
    for (const auto* candidates :
         {&there.hurried[index(priority)], &there.movable[index(priority)]}) {
      if (candidates->empty()) continue;
      const TicketId ticket = candidates->begin()->second;
      const Move move = worth_moving(waiting_.at(ticket), lane, now_s);
      if (move != Move::kNone) return Start{.ticket = ticket, .move = move};
    }
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
  const auto added = running_.emplace(
      ticket,
      Running{.lane = lane,
              .priority = waiting.job.priority,
              .app = std::move(waiting.job.app),
              .predicted_s = std::max(estimate_in(waiting.job, lane).service_s, kShortest_s),
              .started_s = now_s,
              .moved = moved});
  LaneState& state = lanes_[chat::index(lane)];
  ++state.running;
  ++state.running_of[kind];
  state.jobs.emplace(ticket, &added.first->second);
}

std::optional<Scheduler::Start> Scheduler::start_next(chat::Lane lane, double now_s) {
  const LaneState& state = lanes_[chat::index(lane)];
  const int slots = options_.slots[chat::index(lane)];
  if (state.running >= slots) return std::nullopt;
  std::optional<Start> next;
  if (const std::optional<TicketId> ticket = own(state, slots, now_s)) {
    next = Start{.ticket = *ticket, .move = Move::kNone};
  }
  if (options_.balance) {
    const std::optional<Start> mover = from_other_lane(lane, now_s);
    // Whoever is about to be overdue over there goes before who has time here.
    const bool first = mover && next && mover->move == Move::kAge &&
                       waiting_.at(mover->ticket).entry.key < waiting_.at(next->ticket).entry.key;
    if (mover && (!next || first)) next = mover;
  }
  if (next) start(next->ticket, lane, now_s);
  return next;
}

std::optional<double> Scheduler::review_at(double now_s) const {
  if (!options_.balance) return std::nullopt;
  constexpr double kShare = 0.1;  // of its predicted time that a job may wait unnoticed
  constexpr double kSoonest_s = 0.05;
  constexpr double kLatest_s = 5;
  std::optional<double> at;
  for (const chat::Lane lane : {chat::Lane::kLocal, chat::Lane::kCloud}) {
    const LaneState& target = lanes_[chat::index(other(lane))];
    if (target.running >= options_.slots[chat::index(other(lane))]) continue;
    for (const auto& movable : lanes_[chat::index(lane)].movable) {
      if (movable.empty()) continue;
      const Job& job = waiting_.at(movable.begin()->second).job;
      const double step =
          std::clamp(kShare * estimate_in(job, lane).service_s, kSoonest_s, kLatest_s);
      at = std::min(at.value_or(now_s + step), now_s + step);
    }
  }
  return at;
}

void Scheduler::finish(TicketId ticket, double now_s) {
  const auto found = running_.find(ticket);
  if (found == running_.end()) return;
  const Running& job = found->second;
  LaneState& lane = lanes_[chat::index(job.lane)];
  const int kind = index(job.priority);
  // A lane that was free for who came from the other one charges nobody for it.
  if (!job.moved) {
    lane.queues[kind].correct(job.app, (now_s - job.started_s) - job.predicted_s);
  }
  --lane.running;
  --lane.running_of[kind];
  lane.jobs.erase(ticket);
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

}  // namespace minimill::lane
