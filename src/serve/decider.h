#pragma once

// Lane, model and price of a request: the router's decision, within what the request may cost, and
// what the scheduler is told of it. Decides; waits for nothing. Event-loop thread only.

#include <chrono>
#include <cstddef>
#include <optional>

#include "lane/lanes.h"
#include "policy/budgets.h"
#include "policy/request.h"
#include "route/router.h"
#include "serve/backend.h"
#include "serve/job_planner.h"
#include "serve/rung.h"
#include "serve/spending.h"

namespace minimill::serve {

/// How many of an answer's first tokens say how sure the model was.
inline constexpr std::size_t kWatchedTokens = 24;

/// How local answers are watched.
struct WatchOptions {
  bool enabled = true;
  std::size_t tokens = kWatchedTokens;
  std::chrono::milliseconds time{1'500};
};

/// What is found out about a request before it is decided.
struct Considered {
  route::RouteInput input;
  std::optional<double> max_cost_usd;  // by its own wish and what its budgets leave
  std::optional<Error> over_budget;    // what to say where a budget sets that bound
  std::optional<Offer> offer;          // what was learnt from the cloud says to it
};

/// Why the device does what was the cloud's to do.
chat::Reason too_dear_reason();

class Decider {
 public:
  /// `rung` may be null: there is none.
  Decider(route::Router& router, const Backends& backends, Spending& spending,
          const JobPlanner& planner, WatchOptions watch, Rung* rung)
      : router_(router),
        backends_(backends),
        spending_(spending),
        planner_(planner),
        watch_(watch),
        rung_(rung) {}

  Considered consider(const policy::Request& request) const;
  Result<chat::Decision> decide(const policy::Request& request, const Considered& considered) const;
  /// The same of a work that comes for the first time: the router counts it as met.
  Result<chat::Decision> meet(const policy::Request& request, const Considered& considered);

  /// With the lane's model, and within what it may cost.
  Result<chat::Decision> within_budget(const policy::Request& request, const Considered& considered,
                                       Result<chat::Decision> decision) const;

  Work work(const policy::Request& request, const Considered& considered,
            const chat::Decision& decision) const;
  lane::Job job(const Work& work) const { return planner_.job(work); }
  /// How long an attempt at it may take: what is far beyond the usual will not end.
  std::chrono::milliseconds longest(const Work& work) const;
  /// What it is expected to cost in the cloud counts as spent while the Hold lives.
  policy::Budgets::Hold hold(const Work& work) const;
  /// The same for a request whose turn in the cloud has come. What it may cost is weighed anew, as
  /// others have spent since; an error: that is more than is left now.
  Result<policy::Budgets::Hold> reserve(const policy::Request& request, Considered& considered,
                                        const Work& work) const;

  /// The device may answer what the cloud would do for more than is allowed.
  bool may_stay_in(const policy::Request& request, const Considered& considered) const {
    return !request.choice.lane && considered.input.local_available;
  }
  /// The cloud may answer what the device does not.
  bool may_go_out(const policy::Request& request, const Considered& considered) const;
  /// Is a local answer's beginning to be held back, until it looks good enough?
  bool is_watched(const policy::Request& request, const Considered& considered) const;
  const WatchOptions& watch() const { return watch_; }
  Rung* rung() const { return rung_; }
  double p_after_tokens(const chat::Decision& decision, double mean_logprob) const {
    return router_.p_after_tokens(decision.p_local_ok, mean_logprob);
  }

 private:
  /// The rung's answer goes before whatever the router says of language models.
  static Result<chat::Decision> with_offer(const Considered& considered,
                                           Result<chat::Decision> decision);
  bool is_too_dear(const policy::Request& request, const Considered& considered,
                   std::string_view model) const;

  route::Router& router_;
  const Backends& backends_;
  Spending& spending_;
  const JobPlanner& planner_;
  WatchOptions watch_;
  Rung* rung_;
};

}  // namespace minimill::serve
