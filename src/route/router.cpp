#include "route/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "route/features.h"
#include "route/lane_rules.h"
#include "route/learnt.h"
#include "route/unknown_works.h"

namespace minimill::route {
namespace {

constexpr std::size_t kMaxReasons = 8;
constexpr double kLeastWeight = 0.05;    // reasons that weigh less are left out
constexpr double kExploreFloor = 0.05;   // below this it is hopeless
constexpr double kMostTextScore = 0.75;  // that words may say: who pads a text moves it no further
constexpr double kOperationPrior = 6;    // outcomes that the other operations' record is worth
constexpr double kModelPrior = 3;        // outcomes that the other local models' record is worth
constexpr double kNearestPrior = 2;
constexpr double kBasePrior = 4;
constexpr double kLocalBase = 0.7;  // of local answers are good, before any outcome
constexpr double kCloudBase = 0.93;
constexpr std::size_t kAuditsAfterDrift = 100;

double share_good(const Record& record, double prior, double worth) {
  return (record.good + worth * prior) / (record.count() + worth);
}

constexpr double kMostReadable = 8;  // log-odds that readable features may say

double bounded_readable(double score) { return std::clamp(score, -kMostReadable, kMostReadable); }

constexpr double kMostHistory = 2.5;  // log-odds that outcomes may say

double bounded_history(double share, double base) {
  return std::clamp(log_odds(share) - log_odds(base), -kMostHistory, kMostHistory);
}

double bounded(double score) { return std::clamp(score, -kMostTextScore, kMostTextScore); }

}  // namespace

struct Router::Impl {
  /// All that is read off one work, once.
  struct View {
    Features features;
    std::vector<Term> terms;
    Sketch sketch{};
    SkillClassifier::Recognition recognition;
    std::optional<OperationIndex> operation;  // known, or taken to be
  };
  struct Weighed {
    Evidence local{};
    Evidence cloud{};
    Nearest::Found nearest;
    Estimate estimate;
  };

  View view(const RouteInput& input) const {
    View view;
    view.features = extract_features(input);
    view.terms = learnt.terms.of(view.features);
    const auto words = static_cast<std::ptrdiff_t>(view.features.words.size());
    view.sketch = sketch_of(std::span(view.terms.begin(), view.terms.begin() + words));
    const std::string slug = operation_slug(input.title);
    if (!slug.empty()) {
      const OperationIndex* found = learnt.operations.find(slug);
      if (found != nullptr) view.operation = *found;
    } else {
      view.recognition = learnt.skills.recognise(view.features);
      if (view.recognition.known) view.operation = view.recognition.candidates[0].operation;
    }
    return view;
  }

  const Combiner& combiner(std::string_view model) const {
    const auto found = learnt.models.find(model);
    return found == learnt.models.end() ? learnt.any_local : found->second.combiner;
  }

  /// How local has fared with the operation: this model, where it has been tried; drawn towards the
  /// other models', which is drawn towards what became of everything.
  static double local_share(const Operation& operation, std::string_view model, double base) {
    const double any = share_good(operation.local, base, kOperationPrior);
    const auto own = operation.by_model.find(model);
    return own == operation.by_model.end() ? any : share_good(own->second, any, kModelPrior);
  }

  /// The mean over the operations that the work may be, as far as it is believed to be each.
  template <typename Share>
  double expected_share(const View& view, double base, const Share& share_of) const {
    if (view.operation && view.recognition.count == 0) {
      return share_of(learnt.operations.at(*view.operation));
    }
    double expected = 0;
    double believed = 0;
    for (const SkillClassifier::Candidate& each : view.recognition.all()) {
      expected += each.share * share_of(learnt.operations.at(each.operation));
      believed += each.share;
    }
    return expected + (1 - believed) * base;
  }

  Weighed weigh(const RouteInput& input, const View& view) const {
    Weighed weighed;
    const double local_base = share_good(learnt.operations.local_base(), kLocalBase, kBasePrior);
    const double cloud_base = share_good(learnt.operations.cloud_base(), kCloudBase, kBasePrior);

    Evidence& local = weighed.local;
    local[kAlways] = 1;
    local[kReadable] = bounded_readable(learnt.local_readable.score(view.features));
    local[kText] = bounded(learnt.local_text.score(view.terms));
    const auto model = learnt.models.find(input.model);
    if (model != learnt.models.end()) {
      local[kOwnText] = bounded(model->second.text.score(view.terms));
    }
    const double local_history = expected_share(view, local_base, [&](const Operation& operation) {
      return local_share(operation, input.model, local_base);
    });
    local[kHistory] = bounded_history(local_history, local_base);
    weighed.nearest = learnt.nearest.find(view.sketch);
    const Record nearest{.good = weighed.nearest.good, .bad = weighed.nearest.bad};
    local[kNearest] = bounded_history(share_good(nearest, local_base, kNearestPrior), local_base);

    Evidence& cloud = weighed.cloud;
    cloud[kAlways] = 1;
    cloud[kReadable] = bounded_readable(learnt.cloud_readable.score(view.features));
    cloud[kText] = bounded(learnt.cloud_text.score(view.terms));
    const double cloud_history = expected_share(view, cloud_base, [&](const Operation& operation) {
      return share_good(operation.cloud, cloud_base, kOperationPrior);
    });
    cloud[kHistory] = bounded_history(cloud_history, cloud_base);

    Estimate& estimate = weighed.estimate;
    estimate.local = combiner(input.model).probability(local);
    estimate.cloud = learnt.cloud.probability(cloud);
    estimate.good_enough = 1 - std::max(0.0, estimate.cloud - estimate.local);
    return weighed;
  }

  /// The strictest promise that was made for this work; nullptr where there is none.
  const QualityBound* bound_for(const RouteInput& input, std::string_view operation) const {
    const QualityBound* best = nullptr;
    int best_rank = -1;
    for (const QualityBound& bound : options.bounds) {
      const bool of_operation = !bound.operation.empty() && bound.operation == operation;
      const bool of_app = !bound.app.empty() && bound.app == input.app;
      const bool of_all = bound.operation.empty() && bound.app.empty();
      const int rank = of_operation ? 2 : of_app ? 1 : of_all ? 0 : -1;
      if (rank > best_rank) {
        best = &bound;
        best_rank = rank;
      }
    }
    return best;
  }

  static std::string scope_of(const QualityBound& bound) {
    if (!bound.operation.empty()) return "operation:" + bound.operation;
    return bound.app.empty() ? std::string() : "app:" + bound.app;
  }

  double bar_of(const QualityBound& bound) const {
    const auto audits = learnt.audits.find(scope_of(bound));
    return audits == learnt.audits.end() ? RiskControl::kNone : audits->second.bar(bound.risk);
  }

  /// The set bar, lower where the budget gets tight: at the hard limit it is half as high.
  double pressed_bar(const RouteInput& input, std::vector<chat::Reason>& reasons) const {
    constexpr double kMostPressed = 0.5;
    const double bar = input.verifiable ? options.threshold_checked : options.threshold;
    if (input.pressure <= 0) return bar;
    const double pressed = bar * (1 - kMostPressed * std::min(input.pressure, 1.0));
    reasons.push_back(
        rule("budget", fmt::format("{} is spent: the bar is {:.0f} % instead of {:.0f} %",
                                   input.pressed_by, 100 * pressed, 100 * bar)));
    return pressed;
  }

  /// Sets the bar, with the reason where a promise does it.
  double bar(const RouteInput& input, std::string_view operation,
             std::vector<chat::Reason>& reasons) const {
    if (input.threshold) return *input.threshold;
    const QualityBound* bound = bound_for(input, operation);
    if (bound == nullptr) return pressed_bar(input, reasons);
    const std::size_t which = static_cast<std::size_t>(bound - options.bounds.data());
    const double bar = bars[which];
    const std::string promise = fmt::format(
        "at most {:.3g} % of requests may lose something against the cloud, with "
        "{:.3g} % confidence",
        100 * bound->risk.max_loss, 100 * bound->risk.confidence);
    if (bar > 1) {
      reasons.push_back(rule("bound", promise + "; there is too little evidence yet that the "
                                                "device keeps that"));
    } else {
      reasons.push_back(rule(
          "bound", fmt::format("{}; comparisons show that the device keeps it from {:.0f} % on",
                               promise, 100 * bar)));
    }
    return bar;
  }

  /// Audits for bounds that are no longer configured.
  void forget_old_promises() {
    std::erase_if(learnt.audits, [this](const auto& each) {
      const auto is_its = [&each](const QualityBound& bound) {
        return scope_of(bound) == each.first;
      };
      return !each.first.empty() && std::ranges::none_of(options.bounds, is_its);
    });
  }

  void update_bars() {
    bars.clear();
    for (const QualityBound& bound : options.bounds) bars.push_back(bar_of(bound));
  }

  Result<chat::Decision> decide(const RouteInput& input, const View& view) const;
  /// Sets the view's operation.
  std::string recognise(const RouteInput& input, View& view);
  void explain(const View& view, const Weighed& weighed, std::string_view model,
               std::vector<chat::Reason>& reasons) const;

  LocalModel* model_to_teach(const std::string& name) {
    if (name.empty()) return nullptr;
    const auto found = learnt.models.find(name);
    if (found != learnt.models.end()) return &found->second;
    if (learnt.models.size() >= Learnt::kMaxModels) {
      learnt.models.erase(std::ranges::min_element(
          learnt.models, {}, [](const auto& each) { return each.second.outcomes; }));
    }
    LocalModel made{.text = {}, .combiner = learnt.any_local, .outcomes = 0};
    return &learnt.models.emplace(name, std::move(made)).first->second;
  }

  OperationIndex make_operation(std::string slug, std::string title) {
    const Operations::Place place = learnt.operations.add(std::move(slug), std::move(title));
    if (place.evicted) learnt.skills.clear(place.index);
    return place.index;
  }

  RouterOptions options;
  Learnt learnt;
  UnknownWorks unknown;
  std::vector<double> bars;  // of options.bounds
};

void Router::Impl::explain(const View& view, const Weighed& weighed, std::string_view model,
                           std::vector<chat::Reason>& reasons) const {
  const auto add = [&reasons](std::string layer, std::string text, double weight) {
    if (std::abs(weight) < kLeastWeight) return;
    reasons.push_back({.layer = std::move(layer), .text = std::move(text), .weight = weight});
  };
  const Combiner& of_local = combiner(model);
  for (std::size_t i = 0; i < kDenseCount; ++i) {
    const FeatureName& says = feature_name(i);
    const bool below = view.features.dense[i] < says.typical;
    add("difficulty", std::string(below ? says.opposite : says.meaning),
        of_local.weight(kReadable) * learnt.local_readable.contribution(view.features, i));
  }
  const double text = of_local.contribution(weighed.local, kText);
  add("difficulty",
      text > 0 ? "texts like this one went well on the device"
               : "texts like this one went wrong on the device",
      text);
  const double own = of_local.contribution(weighed.local, kOwnText);
  add("difficulty",
      fmt::format("{} in particular does {} with such texts", model, own > 0 ? "well" : "badly"),
      own);
  const double history = of_local.contribution(weighed.local, kHistory);
  if (view.operation) {
    const Operation& operation = learnt.operations.at(*view.operation);
    const auto own_record = operation.by_model.find(model);
    const bool has_own = own_record != operation.by_model.end();
    const Record& record = has_own ? own_record->second : operation.local;
    if (record.count() > 0) {
      add("history",
          fmt::format("of the last tries of this operation on the device {:.0f} % were right{}",
                      100 * record.good / record.count(),
                      has_own ? "" : ", with another local model"),
          history);
    }
  } else if (view.recognition.count > 0) {
    add("history",
        history > 0 ? "the operations it resembles most went well on the device"
                    : "the operations it resembles most went badly on the device",
        history);
  }
  const Nearest::Found& nearest = weighed.nearest;
  add("nearest",
      fmt::format("{} of the {} most similar past requests went well on the device",
                  nearest.alike_good, nearest.alike),
      of_local.contribution(weighed.local, kNearest));
  const double cloud = weighed.estimate.cloud;
  constexpr double kCloudDoubted = 0.8;
  if (cloud < kCloudDoubted) {
    add("cloud",
        fmt::format("the cloud, too, is right in {:.0f} % of such cases only", 100 * cloud),
        log_odds(weighed.estimate.good_enough) - log_odds(weighed.estimate.local));
  }
}

Router::Router(RouterOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->options = std::move(options);
  impl_->update_bars();
}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

Estimate Router::estimate(const RouteInput& input) const {
  return impl_->weigh(input, impl_->view(input)).estimate;
}

Result<chat::Decision> Router::decide(const RouteInput& input) const {
  return impl_->decide(input, impl_->view(input));
}

Result<chat::Decision> Router::meet(const RouteInput& input) {
  Impl::View view = impl_->view(input);
  impl_->recognise(input, view);
  return impl_->decide(input, view);
}

Result<chat::Decision> Router::Impl::decide(const RouteInput& input, const View& view) const {
  std::vector<chat::Reason> rules;
  Result<std::optional<chat::Lane>> ruled = lane_by_rule(input, rules);
  if (!ruled) return std::unexpected(std::move(ruled.error()));

  const Weighed weighed = weigh(input, view);
  chat::Decision decision;
  const Operation* operation = nullptr;
  if (view.operation) {
    operation = &learnt.operations.at(*view.operation);
    decision.operation = operation->slug;
  }
  decision.p_local_ok = weighed.estimate.good_enough;
  decision.threshold = bar(input, decision.operation, rules);
  if (*ruled) {
    decision.lane = **ruled;
    const bool hard = decision.p_local_ok < decision.threshold;
    if (input.cloud_closed && !input.forced && hard && decision.lane == chat::Lane::kLocal &&
        input.privacy == policy::Privacy::kAllow) {
      if (!input.accepts_degraded) return std::unexpected(*input.cloud_closed);
      rules.insert(rules.begin(), rule(std::string(chat::kDegraded),
                                       "it is hard, and is left to the device only because nothing "
                                       "may be spent on the cloud now"));
    }
  } else {
    bool local = decision.p_local_ok >= decision.threshold;
    const bool careful = operation != nullptr && operation->to_prove > 0 && !input.threshold;
    if (local && careful) {
      local = false;
      rules.push_back(rule(
          "drift", fmt::format("the device has lately done worse at this operation than it used "
                               "to: careful until {} more tries in a row went well",
                               operation->to_prove)));
    }
    const bool explore = !local && input.verifiable && operation != nullptr &&
                         decision.p_local_ok >= kExploreFloor && operation->trial != 0 &&
                         operation->trial == fingerprint(view.features);
    if (explore) {
      local = true;
      rules.push_back(
          rule("exploration",
               fmt::format("{} of this operation went to the cloud unseen; this one is tried "
                           "on the device, where its check tells whether that got better",
                           operation->since_tried)));
    }
    decision.lane = local ? chat::Lane::kLocal : chat::Lane::kCloud;
  }
  std::vector<chat::Reason> reasons;
  explain(view, weighed, input.model, reasons);
  std::ranges::stable_sort(reasons, std::ranges::greater{},
                           [](const chat::Reason& reason) { return std::abs(reason.weight); });
  decision.reasons = std::move(rules);
  for (chat::Reason& reason : reasons) {
    if (decision.reasons.size() >= kMaxReasons) break;
    decision.reasons.push_back(std::move(reason));
  }
  return decision;
}

std::string Router::operation_of(const RouteInput& input) const {
  const Impl::View view = impl_->view(input);
  return view.operation ? impl_->learnt.operations.at(*view.operation).slug : std::string();
}

std::string Router::recognise(const RouteInput& input) {
  Impl::View view = impl_->view(input);
  return impl_->recognise(input, view);
}

std::string Router::Impl::recognise(const RouteInput& input, View& view) {
  const bool titled = !operation_slug(input.title).empty();
  if (!view.operation && titled) {
    view.operation = make_operation(operation_slug(input.title), input.title);
  } else if (!view.operation) {
    std::optional<UnknownWorks::Group> group = unknown.add(view.sketch, view.features, input.text);
    if (!group) return {};
    std::string slug = operation_slug(group->name);
    for (int i = 2; learnt.operations.find(slug) != nullptr; ++i) {
      slug = fmt::format("{}-{}", operation_slug(group->name), i);
    }
    view.operation = make_operation(std::move(slug), group->name);
    for (const Features& each : group->examples) learnt.skills.learn(each, *view.operation);
    learnt.skills.learn(view.features, *view.operation);
  }
  // A title says what a work is; what was only recognised teaches nothing new.
  if (titled) learnt.skills.learn(view.features, *view.operation);
  learnt.operations.saw(*view.operation, fingerprint(view.features));
  return learnt.operations.at(*view.operation).slug;
}

void Router::teach(const RouteInput& input, std::string_view operation, bool new_text) {
  const std::string slug = operation_slug(operation);
  if (slug.empty()) return;
  const OperationIndex* found = impl_->learnt.operations.find(slug);
  const OperationIndex index =
      found != nullptr ? *found : impl_->make_operation(slug, std::string(operation));
  impl_->learnt.skills.learn(extract_features(input), index, new_text);
}

void Router::teach_unknown(const RouteInput& input) {
  impl_->learnt.skills.learn_none(extract_features(input));
}

bool Router::learn(const RouteInput& input, std::string_view operation, bool ok, OutcomeKind kind) {
  const double weight = impl_->learnt.trust.weight(kind);
  const Impl::View view = impl_->view(input);
  const Impl::Weighed weighed = impl_->weigh(input, view);
  Learnt& learnt = impl_->learnt;
  const double p = weighed.estimate.local;
  if (is_two_sided(kind)) learnt.reliability.add(p, ok, weight);

  // What the text says is learnt without what the operation says, so that it holds for others too.
  const Evidence& evidence = weighed.local;
  const double by_text = sigmoid(evidence[kReadable] + evidence[kText] + evidence[kOwnText]);
  const double error = weight * (by_text - (ok ? 1 : 0));
  learnt.local_readable.update(view.features, error);
  learnt.local_text.update(view.terms, error);
  learnt.any_local.update(evidence, ok, weight);
  if (LocalModel* model = impl_->model_to_teach(input.model)) {
    model->text.update(view.terms, error);
    model->combiner.update(evidence, ok, weight);
    ++model->outcomes;
  }
  learnt.nearest.add(view.sketch, ok);
  learnt.terms.add(view.features);

  const OperationIndex* index = learnt.operations.find(operation);
  if (index == nullptr) return false;
  const bool drifted = learnt.operations.learn_local(*index, input.model, p, ok, weight);
  if (drifted) {
    const auto audits = learnt.audits.find("operation:" + std::string(operation));
    if (audits != learnt.audits.end()) audits->second.forget(kAuditsAfterDrift);
    impl_->update_bars();
  }
  return drifted;
}

void Router::learn_cloud(const RouteInput& input, std::string_view operation, bool ok,
                         OutcomeKind kind) {
  const double weight = impl_->learnt.trust.weight(kind);
  const Impl::View view = impl_->view(input);
  const Evidence evidence = impl_->weigh(input, view).cloud;
  Learnt& learnt = impl_->learnt;
  const double error = weight * (sigmoid(evidence[kReadable] + evidence[kText]) - (ok ? 1 : 0));
  learnt.cloud_readable.update(view.features, error);
  learnt.cloud_text.update(view.terms, error);
  learnt.cloud.update(evidence, ok, weight);
  const OperationIndex* index = learnt.operations.find(operation);
  if (index != nullptr) learnt.operations.learn_cloud(*index, ok, weight);
}

void Router::expect_change() { impl_->learnt.operations.expect_change(); }

void Router::confirm(OutcomeKind kind, bool agreed) { impl_->learnt.trust.confirm(kind, agreed); }

void Router::audit(const RouteInput& input, std::string_view operation, bool lost) {
  const Impl::View view = impl_->view(input);
  const double estimate = impl_->weigh(input, view).estimate.good_enough;
  auto& audits = impl_->learnt.audits;
  if (audits.size() >= Learnt::kMaxBounds) impl_->forget_old_promises();
  audits[""].audit(estimate, lost);
  for (const QualityBound& bound : impl_->options.bounds) {
    const bool fits = (!bound.operation.empty() && bound.operation == operation) ||
                      (!bound.app.empty() && bound.app == input.app);
    if (fits) audits[Impl::scope_of(bound)].audit(estimate, lost);
  }
  impl_->update_bars();
}

double Router::p_after_tokens(double p_before, double mean_logprob) const {
  return impl_->learnt.confidence.p_ok(p_before, mean_logprob);
}

void Router::learn_confidence(double p_before, double mean_logprob, bool local_ok) {
  impl_->learnt.confidence.learn(p_before, mean_logprob, local_ok);
}

const std::vector<Operation>& Router::operations() const { return impl_->learnt.operations.all(); }
const Reliability& Router::reliability() const { return impl_->learnt.reliability; }
const OutcomeTrust& Router::trust() const { return impl_->learnt.trust; }
const RouterOptions& Router::options() const { return impl_->options; }

std::vector<BoundStatus> Router::bounds() const {
  std::vector<BoundStatus> all;
  for (std::size_t i = 0; i < impl_->options.bounds.size(); ++i) {
    const QualityBound& bound = impl_->options.bounds[i];
    BoundStatus status{.bound = bound, .bar = impl_->bars[i], .audits = 0, .missing = 0};
    const auto audits = impl_->learnt.audits.find(Impl::scope_of(bound));
    const RiskControl none;
    const RiskControl& control = audits == impl_->learnt.audits.end() ? none : audits->second;
    status.audits = control.audits();
    status.missing = control.missing(bound.risk);
    all.push_back(std::move(status));
  }
  return all;
}

std::vector<std::string> Router::models() const {
  std::vector<std::string> names;
  for (const auto& [name, model] : impl_->learnt.models) names.push_back(name);
  return names;
}

std::shared_ptr<const Learnt> Router::snapshot() const {
  return std::make_shared<const Learnt>(impl_->learnt);
}

std::string Router::save() const { return impl_->learnt.encode(); }

Result<Router> Router::load(std::string_view bytes, RouterOptions options) {
  Result<Learnt> learnt = Learnt::decode(bytes);
  if (!learnt) return std::unexpected(std::move(learnt.error()));
  Router router(std::move(options));
  router.impl_->learnt = std::move(*learnt);
  router.impl_->update_bars();
  return router;
}

}  // namespace minimill::route
