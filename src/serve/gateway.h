#pragma once

// The way of an app's request: decided, queued in its lane, answered, checked, recorded.
//
//   Ask ask{.request = …, .choice = …, .privacy = …};
//   Result<Served> served = co_await gateway.complete(std::move(ask));
//
// A request waits its turn in its lane; where that lane's backlog costs more than moving, the
// scheduler moves it to the other one.
//
// Where the app left the lane open, a local answer's first tokens are held back while their log-
// probabilities are watched; where they look bad, the cloud answers instead, and the app does not
// notice. So it does where the device fails (no engine, out of memory, prompt too long) or its
// answer is not in the form asked for; where privacy or cost forbid that, the error is the answer.
// Whatever happens, one row goes into the ledger, also when the app leaves in the middle.
// Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "chat/chat_event.h"
#include "check/answer_format.h"
#include "lane/lanes.h"
#include "learn/outcomes.h"
#include "ledger/ledger.h"
#include "route/router.h"
#include "serve/backends.h"
#include "serve/job_planner.h"
#include "serve/model_selector.h"
#include "serve/shadow.h"
#include "serve/spending.h"

namespace minimill::serve {

struct Ask {
  chat::ChatRequest request;
  ModelChoice choice;
  policy::Privacy privacy = policy::Privacy::kAllow;
  std::string app;
  std::string trace;                   // the app's own name for what this belongs to
  std::optional<double> threshold;     // this request's own bar; else the router's
  std::optional<double> max_cost_usd;  // estimated before, so a bound on the order of magnitude
  std::optional<Error> over_budget;    // what to say where a budget sets that bound
  bool accepts_degraded = true;        // rather the device's answer to hard work than none
};

/// Who answers, known before the first token.
struct Serving {
  RequestId id;
  chat::Decision decision;
  chat::Lane lane = chat::Lane::kLocal;  // differs from the decision's after a fallback
  std::string model;
  std::string escalated;  // why another backend's answer was not taken; empty: this is the first
  double queued_ms = 0;
  std::vector<std::string> emulated;  // fields of the request that minimill did itself
  std::vector<std::string> left_out;  // fields the backend knows nothing like
};

struct Served {
  Serving serving;
  std::vector<chat::ChatAnswer> answers;  // one, or as many as the request has choices
  double cost_usd = 0;
};

struct ServedStream {
  Serving serving;
  std::unique_ptr<chat::ChatStream> stream;
};

/// How many of an answer's first tokens say how sure the model was.
inline constexpr std::size_t kWatchedTokens = 24;

/// How local answers are watched.
struct WatchOptions {
  bool enabled = true;
  std::size_t tokens = kWatchedTokens;
  std::chrono::milliseconds time{1'500};
};

class OpenRequest;

class Gateway {
 public:
  Gateway(const Clock& clock, IdSource& ids, route::Router& router, ModelSelector& selector,
          Engines& engines, Backends& backends, lane::Lanes& lanes, ledger::Ledger& ledger,
          learn::Outcomes& outcomes, Shadow& shadow, const JobPlanner& planner, Spending& spending,
          WatchOptions watch);

  /// Lane and model, without carrying anything out.
  Result<chat::Decision> decide(Ask ask) {
    const route::RouteInput input = route_input(ask);
    return with_model(ask, input, router_.decide(input));
  }

  asio::awaitable<Result<Served>> complete(Ask ask);
  asio::awaitable<Result<ServedStream>> stream(Ask ask);

 private:
  /// Either a whole answer or a stream.
  struct Reply {
    std::optional<chat::ChatAnswer> answer;
    std::unique_ptr<chat::ChatStream> stream;
  };

  /// What the router may read of it. What its budgets leave bounds what the ask may cost.
  route::RouteInput route_input(Ask& ask);
  /// What the router decided, with the lane's model, and within what it may cost.
  Result<chat::Decision> with_model(const Ask& ask, const route::RouteInput& input,
                                    Result<chat::Decision> decision);
  /// A local answer that is not taken: what its error teaches.
  void learn_failure(const OpenRequest& open, route::OutcomeKind kind, const Error& error);
  /// Whether a cloud model's answer had the form asked for.
  void judge_cloud(const OpenRequest& open, bool passed);
  void learn_success(const OpenRequest& open, route::OutcomeKind kind);
  /// The answer is given: it may be judged later, and compared.
  void given(OpenRequest& open, chat::ChatAnswer answer);
  bool is_compared(const OpenRequest& open) const;

  /// Decides, waits in the lane and attempts, on the other lane too where that is allowed.
  asio::awaitable<Result<Reply>> serve(OpenRequest& open, route::RouteInput input, bool whole);
  asio::awaitable<Result<Reply>> attempt(OpenRequest& open, const check::AnswerFormat& format,
                                         bool whole, bool watched);
  bool may_go_out(const Ask& ask) const;
  Work work_of(const OpenRequest& open) const;
  /// The device may answer what the cloud, out of reach, does not.
  bool may_degrade(const OpenRequest& open, const Error& from_cloud) const;
  void degrade(OpenRequest& open, Work& work) const;
  bool is_too_dear(const Ask& ask, std::string_view model) const;

  const Clock& clock_;
  IdSource& ids_;
  route::Router& router_;
  ModelSelector& selector_;
  Engines& engines_;
  Backends& backends_;
  lane::Lanes& lanes_;
  ledger::Ledger& ledger_;
  learn::Outcomes& outcomes_;
  Shadow& shadow_;
  const JobPlanner& planner_;
  Spending& spending_;
  WatchOptions watch_;
};

}  // namespace minimill::serve
