#pragma once

// Which lane? The skill classifier says which operation the work is; the router estimates how
// likely the local answer is good enough; rules of privacy and capacity come first and are never
// outweighed. Which model in the lane is another layer's matter.
//
//   Router router(options);
//   Result<Decision> decision = router.decide(input);       // microseconds, no I/O
//   router.learn(input, decision->operation, /*local_ok=*/false);
//
// Good enough means: as good as what the cloud would have given. Two estimates are made, of the
// local answer's being right and of the cloud's, each a combination (Combiner) of what the text
// says (ReadableModel, TextModel), how the operation has fared (Operations) and how the requests
// most like it have (Nearest). Local is chosen where the first is at most so much below the second;
// how much is either set, or found from audits so that a promised quality is kept (RiskControl).
//
// Everything is learnt online, in constant time per outcome. Same state and same input give the
// same decision. Not thread-safe: the event loop owns it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/decision.h"
#include "route/operations.h"
#include "route/outcome_trust.h"
#include "route/reliability.h"
#include "route/risk_control.h"
#include "route/route_input.h"

namespace minimill::route {

/// "Lose at most so much against cloud-only", promised to an app, for an operation, or to all.
struct QualityBound {
  std::string app;  // one of these two, or neither
  std::string operation;
  RiskOptions risk;
  bool operator==(const QualityBound&) const = default;
};

struct RouterOptions {
  static constexpr std::size_t kMaxBounds = 32;

  /// Local where the estimated probability that it is good enough is at least this.
  double threshold = 0.6;
  /// The bar where a check will tell: a wrong answer costs time there, and reaches nobody.
  double threshold_checked = 0.4;
  /// Where one fits, it sets the bar instead: an operation's before an app's before all's.
  std::vector<QualityBound> bounds;
};

struct Learnt;

struct Estimate {
  double local = 0;        // P(the local answer is right)
  double cloud = 0;        // P(the cloud's answer is right)
  double good_enough = 0;  // 1 less what local is expected to lose against the cloud
};

struct BoundStatus {
  QualityBound bound;
  double bar = 0;  // over 1: everything goes to the cloud
  std::size_t audits = 0;
  std::size_t missing = 0;  // audits before any bar can be shown to be safe
};

class Router {
 public:
  explicit Router(RouterOptions options = {});
  ~Router();
  Router(Router&&) noexcept;
  Router& operator=(Router&&) noexcept;

  /// kUnavailable or kForbidden where no permitted lane can serve the work, with what to do.
  Result<chat::Decision> decide(const RouteInput& input) const;
  Estimate estimate(const RouteInput& input) const;
  /// recognise() and then decide(), reading the text once.
  Result<chat::Decision> meet(const RouteInput& input);

  /// Which operation the work is, and remembers it as one: titled work is that of its title;
  /// untitled work is recognised, or, where several alike are of no known operation, makes a new
  /// one. "": unknown.
  std::string recognise(const RouteInput& input);
  /// What recognise() would say, without remembering.
  std::string operation_of(const RouteInput& input) const;
  /// The work is this operation: an example to learn from.
  void teach(const RouteInput& input, std::string_view operation, bool new_text = true);
  /// The work is of no operation.
  void teach_unknown(const RouteInput& input);

  /// An outcome of the local lane: was its answer right? True where it made the operation careful
  /// (drift).
  bool learn(const RouteInput& input, std::string_view operation, bool ok,
             OutcomeKind kind = OutcomeKind::kCheck);
  /// The same of the cloud lane.
  void learn_cloud(const RouteInput& input, std::string_view operation, bool ok,
                   OutcomeKind kind = OutcomeKind::kCheck);
  /// A stronger kind of outcome has spoken about an answer that this kind had judged.
  void confirm(OutcomeKind kind, bool agreed);
  /// The device answers with another model now, or a changed one: what went wrong is tried again
  /// sooner.
  void expect_change();
  /// A request picked at random whose answers of both lanes were compared: evidence for the
  /// quality bounds. `lost`: the local one was worse. To be called before learn().
  void audit(const RouteInput& input, std::string_view operation, bool lost);

  /// The estimate `p_before` after the local model has written tokens of this mean log-probability,
  /// and what is learnt of that once the answer's worth is known.
  double p_after_tokens(double p_before, double mean_logprob) const;
  void learn_confidence(double p_before, double mean_logprob, bool local_ok);

  const std::vector<Operation>& operations() const;
  const Reliability& reliability() const;
  const OutcomeTrust& trust() const;
  std::vector<BoundStatus> bounds() const;
  std::vector<std::string> models() const;
  const RouterOptions& options() const;

  /// A copy of all that is learnt, to be encoded elsewhere than on the event loop.
  std::shared_ptr<const Learnt> snapshot() const;
  /// The whole learnt state, versioned, under 16 MB. load() of damaged or unknown bytes is
  /// kCorrupt.
  std::string save() const;
  static Result<Router> load(std::string_view state, RouterOptions options);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minimill::route
