#pragma once

// Easy or hard? Three things are combined in log-odds: a linear model over hashed words and
// characters and a few readable features (difficulty), what became of this operation before
// (history), and the rules of privacy and capacity, which come first and are never outweighed.
//
//   Router router(options);
//   Result<Decision> decision = router.decide(input);       // microseconds, no I/O
//   router.learn(input, decision->operation, /*local_ok=*/false);
//
// The weights start from a prior that ships as numbers (prior_weights.inc, made by
// scripts/train_prior) and are updated online by logistic regression with AdaGrad steps
// (Duchi, Hazan, Singer 2011). Same state and same input give the same decision.
// Not thread-safe: the event loop owns it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "chat/chat_request.h"
#include "policy/privacy.h"
#include "route/decision.h"

namespace minimill::route {

/// What the router may read. Never the wire format, never a task's gold label.
struct RouteInput {
  std::string title;  // a task's; empty for an app's request
  std::string text;   // everything the model would read
  int turns = 1;      // messages from the user
  int tools = 0;
  int images = 0;
  bool wants_json = false;
  bool verifiable = false;  // a check will tell whether the answer is right
  policy::Privacy privacy = policy::Privacy::kAllow;
  std::optional<Lane> forced;  // the app named a lane or a model
  bool local_available = true;
  bool cloud_available = true;
  std::int64_t local_context_tokens = 0;  // 0: unknown
  std::optional<double> threshold;        // this request's own bar; else the router's
};

RouteInput route_input(const chat::ChatRequest& request);

struct RouterOptions {
  /// Local where the estimated probability of a good local answer is at least this.
  double threshold = 0.6;
  /// The bar where a check will tell: a wrong answer costs time there, and reaches nobody.
  double threshold_checked = 0.4;
  double learning_rate = 0.3;
};

struct OperationStats {
  std::string operation;
  std::string title;  // as first seen
  std::int64_t seen = 0;
  double local_ok = 0;  // decayed counts of local outcomes
  double local_failed = 0;
};

class Router {
 public:
  explicit Router(RouterOptions options = {});
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  /// kUnavailable or kForbidden where no permitted lane can serve the work, with what to do.
  Result<Decision> decide(const RouteInput& input) const;

  /// Remembers the work as an instance of an operation (an existing one, or a new one named after
  /// the title) and returns the operation; "" for untitled work that resembles nothing.
  std::string recognise(const RouteInput& input);

  /// An outcome of the local lane: was its answer good enough? `weight` in (0, 1]: how far the kind
  /// of outcome is to be believed.
  void learn(const RouteInput& input, std::string_view operation, bool local_ok,
             double weight = 1.0);

  /// The estimate `p_before` after the local model has written tokens of this mean log-probability,
  /// and what is learnt of that once the answer's worth is known.
  double p_after_tokens(double p_before, double mean_logprob) const;
  void learn_confidence(double p_before, double mean_logprob, bool local_ok);

  std::vector<OperationStats> operations() const;
  const RouterOptions& options() const;

  /// The whole learnt state, versioned, under 16 MB. load() of damaged or unknown bytes is
  /// kCorrupt.
  std::string save() const;
  static Result<Router> load(std::string_view state, RouterOptions options);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minimill::route
