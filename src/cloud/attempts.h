#pragma once

// The inside of the pool: one request's race between providers. Race is what a caller shares with
// the attempts it has started; Attempts decides, without ever waiting, what begins and what is
// given up; pool.cpp's carry_out() is the one coroutine that waits between its decisions.

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <set>
#include <type_traits>
#include <utility>

#include "cloud/attempt_end.h"
#include "cloud/measured_stream.h"
#include "cloud/pool.h"

namespace minimill::cloud {

/// Somebody who waits for something to happen.
struct Pool::News : Guest {
  explicit News(const asio::any_io_executor& executor) : timer(executor) {}
  void tell() override {
    has_come = true;
    timer.cancel();
  }
  asio::steady_timer timer;
  bool has_come = false;
};

/// Counts what runs, so that stop() can wait for it.
struct Pool::Running {
  int count = 0;
  News* none_left = nullptr;
};

/// What a caller and the attempts it started share; the attempts may outlive it for a moment, until
/// their cancellation has reached them.
template <class T>
struct Pool::Race : Pool::News {
  struct Racer {
    std::size_t index = 0;  // of its candidate
    Candidate candidate;
    SteadyTime began{};
    ConcurrencyLimit::Permit permit;
    bool hedge = false;
    bool settled = false;
    Told told;
    std::optional<Result<T>> answer;
    asio::cancellation_signal cancel;
  };

  Race(const asio::any_io_executor& the_executor, policy::Cleared<chat::ChatRequest> the_request)
      : News(the_executor), executor(the_executor), request(std::move(the_request)) {}

  static asio::awaitable<void> run(std::shared_ptr<Race> race, Racer* racer) {
    Provider& provider = *racer->candidate.provider;
    const std::string& model = racer->candidate.model;
    if constexpr (std::is_same_v<T, chat::ChatAnswer>) {
      Result<T> answer = co_await provider.complete(race->request, model, racer->told);
      racer->answer = std::move(answer);
    } else {
      Result<T> stream = co_await provider.stream(race->request, model, racer->told);
      racer->answer = std::move(stream);
    }
  }

  asio::any_io_executor executor;
  policy::Cleared<chat::ChatRequest> request;
  std::vector<std::unique_ptr<Racer>> racers;
};

/// One request's attempts: what has ended, what to begin next, and when to look again. All of the
/// deciding, none of the waiting.
template <class T>
class Pool::Attempts {
 public:
  static constexpr bool kStreamed = !std::is_same_v<T, chat::ChatAnswer>;
  static constexpr double kHedgeQuantile = 0.95;  // or later, where the budget is for fewer
  static constexpr Millis kTooLate{5};            // before a deadline: nothing begins any more
  static constexpr Millis kMaxQueueing{600'000};  // for room at a provider that others keep busy
  static constexpr Millis kTryAgainAfter{1'000};  // where nobody knows when there is room
  static constexpr int kMaxCrowded = 16;          // refusals of one request for too many at once
  static constexpr double kUsualFrom = 10;        // answers, from which it is known what is usual
  static constexpr double kLeastService_s = 1e-3;
  using Racer = typename Race<T>::Racer;

  Attempts(Pool& pool, std::shared_ptr<Race<T>> race, Call& call)
      : pool_(pool),
        race_(std::move(race)),
        call_(call),
        prompt_tokens_(chat::estimated_prompt_tokens(*race_->request)),
        answer_tokens_(pool.expected_answer_tokens(*race_->request, call.operation)),
        states_(call.candidates.size()) {
    for (std::size_t i = 0; i < states_.size(); ++i) {
      states_[i].health = &pool.health_of(call.candidates[i]);
      states_[i].gate = &pool.gate_of(*call.candidates[i].provider);
    }
    pool_.budget_.earn();
    race_->app = call.app;
    race_->number = pool_.next_guest_++;
  }
  ~Attempts() {
    stop_waiting();
    for (const auto& racer : race_->racers) give_up(*racer, "the client went away", false);
  }
  Attempts(const Attempts&) = delete;
  Attempts& operator=(const Attempts&) = delete;

  /// Takes in what has ended. A value is the request's end.
  std::optional<Result<T>> settle() {
    // By index: a racer that is settled may let others begin, but never here.
    for (std::size_t i = 0; i < race_->racers.size(); ++i) {
      Racer& racer = *race_->racers[i];
      if (racer.settled || !racer.answer) continue;
      if (*racer.answer) return win(racer);
      if (lose(racer)) return std::unexpected(std::move(racer.answer->error()));
    }
    return std::nullopt;
  }

  /// Begins what should be under way; says when to look again at the latest, or how it ends.
  Result<SteadyTime> proceed() {
    const SteadyTime now = pool_.clock_.steady();
    const chat::Deadline deadline = race_->request->deadline;
    if (deadline && now + kTooLate >= *deadline) {
      if (last_error_) return std::unexpected(*last_error_);
      return fail(ErrorCode::kTimeout, "no provider answered before the request's deadline");
    }
    Result<SteadyTime> at = SteadyTime::max();
    if (is_running()) {
      at = consider_hedge(now);
    } else if (begin_best(now, false)) {
      at = hedge_at();
    } else {
      at = next_round(now);
    }
    if (is_running() || !at) stop_waiting();
    // What is under way ends by itself at the deadline.
    if (at && deadline && !is_running()) at = std::min(*at, SteadyTime(*deadline));
    return at;
  }

 private:
  struct State {
    Health* health = nullptr;
    Gate* gate = nullptr;
    bool tried = false;    // in this round
    bool crowded = false;  // and refused because of too many at once: no failure
    bool refused = false;  // not again, whatever the others do
    SteadyTime not_before{};
  };

  bool is_running() const {
    return std::ranges::any_of(race_->racers, [](const auto& racer) { return !racer->settled; });
  }

  /// The best of those that were not tried in this round; false where there is none.
  bool begin_best(SteadyTime now, bool hedge) {
    std::vector<Facts> facts;
    std::vector<std::size_t> indices;
    for (std::size_t i = 0; i < states_.size(); ++i) {
      if (states_[i].tried || states_[i].refused) continue;
      facts.push_back(
          pool_.facts(call_.candidates[i], call_.operation, prompt_tokens_, answer_tokens_));
      if (facts.back().wait && states_[i].not_before > now) {
        const Millis pause = std::chrono::ceil<Millis>(states_[i].not_before - now);
        facts.back().wait = std::max(*facts.back().wait, pause);
      }
      if (!may_enter(i)) facts.back().wait.reset();
      indices.push_back(i);
    }
    const Choice choice = choose(facts, pool_.options_.preference, pool_.options_.quality_margin);
    if (choice.order.empty()) return false;
    if (call_.why.empty()) call_.why = choice.why;
    begin(indices[choice.order.front()], hedge, now);
    return true;
  }

  void begin(std::size_t index, bool hedge, SteadyTime now) {
    states_[index].tried = true;
    states_[index].crowded = false;
    give_up_at_.reset();
    auto racer = std::make_unique<Racer>();
    racer->index = index;
    racer->candidate = call_.candidates[index];
    racer->began = now;
    racer->hedge = hedge;
    health_of(*racer).begin(now, prompt_tokens_);
    racer->permit = gate_of(index).enter(*race_, now);
    stop_waiting();
    Racer* started = race_->racers.emplace_back(std::move(racer)).get();
    ++pool_.running_->count;
    auto ended = [race = race_, started, running = pool_.running_](const std::exception_ptr& bug) {
      if (bug && !started->answer) {
        started->answer = fail(ErrorCode::kCancelled, "the attempt was cancelled");
      }
      race->tell();
      if (--running->count == 0 && running->none_left != nullptr) running->none_left->tell();
    };
    asio::co_spawn(race_->executor, Race<T>::run(race_, started),
                   asio::bind_cancellation_slot(started->cancel.slot(), std::move(ended)));
  }

  Gate& gate_of(std::size_t index) const { return *states_[index].gate; }
  Health& health_of(const Racer& racer) const { return *states_[racer.index].health; }
  bool may_enter(std::size_t index) const { return gate_of(index).lets_in(*race_); }

  /// When the first of those under way has taken unusually long; max() where that is not known, or
  /// has been seen to.
  SteadyTime hedge_at() const {
    if (hedge_considered_ || pool_.budget_.is_off()) return SteadyTime::max();
    SteadyTime at = SteadyTime::max();
    for (const auto& racer : race_->racers) {
      if (racer->settled) continue;
      const DecayedDurations& usual = health_of(*racer).usual(kStreamed);
      if (usual.weight(pool_.clock_.steady()) < kHedgeAfter) continue;
      const double quantile = std::max(kHedgeQuantile, 1 - pool_.options_.hedge_budget);
      at = std::min(at, racer->began + usual.quantile(quantile));
    }
    return at;
  }

  SteadyTime consider_hedge(SteadyTime now) {
    const SteadyTime at = hedge_at();
    if (now < at) return at;
    hedge_considered_ = true;
    if (!pool_.budget_.spend()) return SteadyTime::max();
    const Racer& slow =
        **std::ranges::find_if(race_->racers, [](const auto& racer) { return !racer->settled; });
    const double waited_ms = in_ms(now - slow.began);
    const std::size_t index = slow.index;
    const std::string slow_name = slow.candidate.provider->options().name;
    if (!begin_best(now, true)) {
      const Health& health = *states_[index].health;
      const bool ready = health.next_at(now, prompt_tokens_) <= now && may_enter(index);
      if (!ready) return SteadyTime::max();
      begin(index, true, now);
    }
    const std::string& asked = race_->racers.back()->candidate.provider->options().name;
    call_.why += fmt::format("; {} unusually slow, so after {:.0f} ms {} was asked too", slow_name,
                             waited_ms, asked == slow_name ? "it once more" : asked);
    return SteadyTime::max();
  }

  /// Nobody is left to ask now.
  Result<SteadyTime> next_round(SteadyTime now) {
    SteadyTime at = SteadyTime::max();
    std::size_t first = states_.size();
    bool any_tried = false;
    std::vector<std::size_t> full;
    bool probed = false;
    for (std::size_t i = 0; i < states_.size(); ++i) {
      any_tried = any_tried || (states_[i].tried && !states_[i].crowded);
      if (states_[i].refused) continue;
      if (first == states_.size()) first = i;
      SteadyTime ready = states_[i].health->next_at(now, prompt_tokens_);
      probed = probed || ready == SteadyTime::max();
      if (states_[i].tried) ready = std::max(ready, states_[i].not_before);
      if (ready <= now && !may_enter(i)) {
        full.push_back(i);
      } else if (ready < at) {
        at = ready;
        first = i;
      }
    }
    if (first == states_.size() || (any_tried && round_ >= pool_.options_.max_retries)) {
      return std::unexpected(closed_error(first, at, now));
    }
    if (at <= now) {
      if (any_tried) ++round_;
      for (State& state : states_) state.tried = false;
      // What keeps the best from being asked now, though it is ready, is the record of its answers:
      // with nobody better in reach, it is asked all the same.
      if (!begin_best(now, false)) begin(first, false, now);
      return hedge_at();
    }
    if (!give_up_at_) give_up_at_ = now + kMaxQueueing;
    const bool told_when = full.empty() && at != SteadyTime::max();
    const bool too_long = told_when && at > now + pool_.options_.max_wait;
    const bool too_many = !is_waiting_ && pool_.waiting_ >= pool_.options_.max_waiting;
    if (too_long || too_many || now >= *give_up_at_) {
      return std::unexpected(closed_error(first, at, now));
    }
    stop_waiting();
    wait_for(full, probed);
    return std::min(at, *give_up_at_);
  }

  void wait_for(const std::vector<std::size_t>& full, bool probed) {
    is_waiting_ = true;
    ++pool_.waiting_;
    const double answer_s =
        states_.front().health->service().expected_s(static_cast<double>(answer_tokens_));
    race_->service_s = std::max(answer_s, kLeastService_s);
    std::set<Gate*> gates;
    for (const std::size_t i : full) gates.insert(&gate_of(i));
    for (Gate* gate : gates) gate->wait(*race_);
    if (probed) pool_.for_probe_.push_back(race_.get());
    pool_.update_capacity();
  }

  void stop_waiting() {
    race_->leave();
    if (!std::exchange(is_waiting_, false)) return;
    pool_.for_probe_.remove(race_.get());
    --pool_.waiting_;
    pool_.update_capacity();
  }

  /// This request's last error, or, where it was never sent, why nobody can be asked.
  Error closed_error(std::size_t index, SteadyTime at, SteadyTime now) const {
    if (last_error_) return *last_error_;
    Error error;
    error.code = ErrorCode::kRateLimited;
    error.message = "no cloud provider can take another request";
    error.hint = "see: minimill providers";
    if (index < states_.size()) {
      const Candidate& candidate = call_.candidates[index];
      const Health& health = *states_[index].health;
      if (health.breaker(now) != Breaker::kClosed && health.last_error()) {
        error = *health.last_error();
        error.message += ", and is left alone for a while";
      } else {
        error.message = fmt::format("{} {}", candidate.provider->options().name,
                                    at == SteadyTime::max()
                                        ? "has as many requests as it takes, and others wait"
                                        : "is at its rate limit");
      }
      error.retry_after =
          at == SteadyTime::max() ? kTryAgainAfter : std::chrono::ceil<Millis>(at - now);
    }
    return error;
  }

  /// True where the request itself is at fault: nobody else would take it either.
  bool lose(Racer& racer) {
    racer.settled = true;
    const SteadyTime now = pool_.clock_.steady();
    const Error& error = racer.answer->error();
    const chat::Deadline deadline = race_->request->deadline;
    const bool too_late = deadline && now + kTooLate >= *deadline;
    const Ending ending = ending_of(error, racer.told, too_late);
    RateLimits limits = racer.told.limits;
    const bool crowded = ending == Ending::kRateLimited && note_refusal(racer, error, limits);
    Health& health = health_of(racer);
    health.note(limits, now);
    AttemptEnd end;
    end.ending = ending;
    end.duration = now - racer.began;
    // Nobody's fault, but so long at least it took.
    end.overtaken = too_late && error.code == ErrorCode::kTimeout;
    if (kStreamed) end.first_event = end.duration;
    end.usage.completion_tokens = answer_tokens_;
    health.end(end, now);
    Error kept = error;
    kept.message = kept_message(racer, error);
    if (ending != Ending::kNotItsFault) health.remember_error(kept);
    LostAttempt lost = report(racer, now);
    lost.error = std::move(kept.message);
    lost.usage = racer.told.used;
    lost.cost_usd = pool_.prices_.cost_usd(lost.provider, lost.model, lost.usage);
    call_.lost.push_back(std::move(lost));
    last_error_ = error;
    leave_provider(racer);

    State& state = states_[racer.index];
    state.crowded = crowded;
    const bool may_pass = ending == Ending::kFailed || ending == Ending::kRateLimited;
    state.refused = !racer.told.limits.should_retry.value_or(may_pass);
    state.not_before =
        now + error.retry_after.value_or(crowded ? Millis{0} : pool_.backoff(round_));
    return ending == Ending::kNotItsFault && state.refused && !is_running();
  }

  /// What is told to others than the app that asked, and kept: a provider's own words may repeat
  /// the prompt.
  static std::string kept_message(const Racer& racer, const Error& error) {
    constexpr int kFirstErrorStatus = 300;
    const std::string& provider = racer.candidate.provider->options().name;
    if (racer.told.status >= kFirstErrorStatus) {
      return fmt::format("{} answered {} ({})", provider, racer.told.status, name(error.code));
    }
    if (racer.told.status > 0) return fmt::format("{} broke off ({})", provider, name(error.code));
    return error.message;
  }

  /// True where nothing but too many at once was wrong.
  bool note_refusal(const Racer& racer, const Error& error, RateLimits& limits) {
    const ConcurrencyLimit::Refusal refusal = gate_of(racer.index).refused(racer.permit);
    if (!limits.retry_after) limits.retry_after = error.retry_after;
    if (!limits.retry_after && !refusal.crowded) limits.retry_after = refusal.pause;
    return refusal.crowded && ++crowded_ <= kMaxCrowded;
  }

  void leave_provider(const Racer& racer) {
    gate_of(racer.index).exit();
    pool_.tell_probed();
    pool_.update_capacity();
  }

  Result<T> win(Racer& racer) {
    racer.settled = true;
    const SteadyTime now = pool_.clock_.steady();
    Health& health = health_of(racer);
    health.note(racer.told.limits, now);
    call_.provider = racer.candidate.provider->options().name;
    call_.model = racer.candidate.model;
    call_.began = racer.began;
    call_.hedged = racer.hedge;
    for (const auto& other : race_->racers) {
      if (!other->settled) give_up(*other, fmt::format("overtaken by {}", call_.provider), true);
    }
    T answer = std::move(**racer.answer);
    Gate& gate = gate_of(racer.index);
    if constexpr (kStreamed) {
      gate.accepted(racer.permit, slowdown(health, now - racer.began, 0, now), now);
      pool_.update_capacity();
      auto ended = [&pool = pool_, &health, &gate,
                    operation = call_.operation](const AttemptEnd& end) {
        health.end(end, pool.clock_.steady());
        if (end.ending == Ending::kAnswered) pool.learn_length(operation, end.usage);
        gate.exit();
        pool.tell_probed();
        pool.update_capacity();
      };
      const MeasuredStream::Begun begun{
          .at = racer.began, .first_event = now - racer.began, .prompt_tokens = prompt_tokens_};
      return std::make_unique<MeasuredStream>(std::move(answer), pool_.clock_, begun,
                                              std::move(ended));
    } else {
      answer.set_usage(told_or_estimated(answer, prompt_tokens_));
      AttemptEnd end;
      end.duration = now - racer.began;
      end.usage = answer.usage();
      const std::int64_t tokens = answer.usage().completion_tokens;
      gate.accepted(racer.permit, slowdown(health, end.duration, tokens, now), now);
      health.end(end, now);
      pool_.learn_length(call_.operation, answer.usage());
      leave_provider(racer);
      return answer;
    }
  }

  /// How much longer than usual the answer took, or a stream's first event.
  static std::optional<double> slowdown(const Health& health, std::chrono::nanoseconds took,
                                        std::int64_t tokens, SteadyTime now) {
    double usual_s = 0;
    if constexpr (kStreamed) {
      constexpr double kMedian = 0.5;
      if (health.usual(true).weight(now) < kUsualFrom) return std::nullopt;
      usual_s = in_ms(health.usual(true).quantile(kMedian)) / 1'000;
    } else {
      if (health.service().weight(now) < kUsualFrom) return std::nullopt;
      usual_s = health.service().expected_s(static_cast<double>(tokens));
    }
    if (usual_s <= 0) return std::nullopt;
    return std::chrono::duration<double>(took).count() / usual_s;
  }

  LostAttempt report(const Racer& racer, SteadyTime now) const {
    LostAttempt lost;
    lost.provider = racer.candidate.provider->options().name;
    lost.model = racer.candidate.model;
    lost.duration_ms = in_ms(now - racer.began);
    lost.hedge = racer.hedge;
    return lost;
  }

  /// Cancels what is no longer wanted. What it may have cost by then is an estimate: the prompt,
  /// and as much of the answer as was due.
  void give_up(Racer& racer, std::string why, bool overtaken) {
    if (racer.settled) return;
    racer.settled = true;
    const SteadyTime now = pool_.clock_.steady();
    Health& health = health_of(racer);
    const double waited_s = std::chrono::duration<double>(now - racer.began).count();
    const double whole_s =
        std::max(waited_s, health.service().expected_s(static_cast<double>(answer_tokens_)));
    const double share = whole_s > 0 ? waited_s / whole_s : 0;
    chat::Usage usage{
        .prompt_tokens = prompt_tokens_,
        .completion_tokens = static_cast<std::int64_t>(share * static_cast<double>(answer_tokens_)),
        .cached_prompt_tokens = 0,
        .estimated = true};
    LostAttempt lost = report(racer, now);
    lost.usage = usage;
    lost.cost_usd = pool_.prices_.cost_usd(lost.provider, lost.model, usage);
    lost.error = std::move(why);
    call_.lost.push_back(std::move(lost));

    usage.completion_tokens = answer_tokens_;
    AttemptEnd end;
    end.ending = Ending::kNotItsFault;
    end.duration = now - racer.began;
    end.overtaken = overtaken && !racer.hedge;
    if (kStreamed) end.first_event = end.duration;
    end.usage = usage;
    health.end(end, now);
    racer.cancel.emit(asio::cancellation_type::terminal);
    leave_provider(racer);
  }

  Pool& pool_;
  std::shared_ptr<Race<T>> race_;
  Call& call_;
  std::int64_t prompt_tokens_;
  std::int64_t answer_tokens_;
  std::vector<State> states_;  // of the candidates
  int round_ = 0;
  int crowded_ = 0;  // refusals
  bool hedge_considered_ = false;
  bool is_waiting_ = false;
  std::optional<SteadyTime> give_up_at_;  // of waiting for somebody to ask
  std::optional<Error> last_error_;
};

}  // namespace minimill::cloud
