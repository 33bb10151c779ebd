#include "route/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/sha256.h"
#include "route/confidence.h"
#include "route/difficulty_model.h"
#include "route/features.h"
#include "route/operations.h"

namespace minimill::route {
namespace {

constexpr std::size_t kMaxReasons = 8;
constexpr double kLeastWeight = 0.05;        // reasons that weigh less are left out
constexpr double kPriorStrength = 3;         // outcomes that the text's estimate is worth
constexpr double kExploreFloor = 0.05;       // below this it is hopeless
constexpr std::int64_t kAnswerTokens = 512;  // room an answer needs
constexpr std::string_view kMagic = "minimill-router 2\n";
constexpr std::string_view kOldMagic = "minimill-router 1\n";  // without what tokens have taught
constexpr std::size_t kDigestBytes = 64;

Reason rule(std::string layer, std::string text) {
  return {.layer = std::move(layer), .text = std::move(text), .weight = 0};
}

void add_difficulty(const DifficultyModel& model, const Features& features, double learnt,
                    std::vector<Reason>& reasons) {
  for (std::size_t i = 0; i < kDenseCount; ++i) {
    const double weight = model.contribution(features, i);
    if (std::abs(weight) < kLeastWeight) continue;
    const FeatureName& says = feature_name(i);
    const bool below = features.dense[i] < says.typical;
    reasons.push_back({.layer = "difficulty",
                       .text = std::string(below ? says.opposite : says.meaning),
                       .weight = weight});
  }
  if (std::abs(learnt) >= kLeastWeight) {
    const char* text = learnt > 0 ? "texts like this one went well on the device"
                                  : "texts like this one went wrong on the device";
    reasons.push_back({.layer = "difficulty", .text = text, .weight = learnt});
  }
}

std::unexpected<Error> nothing_can(const RouteInput& input) {
  if (input.privacy == policy::Privacy::kLocalOnly) {
    return fail(ErrorCode::kUnavailable, "the request is local-only and there is no local model",
                "get one: minimill pull smollm2:135m");
  }
  return fail(
      ErrorCode::kUnavailable, "there is neither a local model nor a cloud provider",
      "get a model (minimill pull smollm2:135m), or add a [[provider]] to the configuration");
}

}  // namespace

struct Router::Impl {
  explicit Impl(RouterOptions given) : options(given) {}

  /// What rules alone decide; nullopt where the lane is to be weighed.
  Result<std::optional<Lane>> by_rule(const RouteInput& input, std::vector<Reason>& reasons) const {
    const bool local_only = input.privacy == policy::Privacy::kLocalOnly;
    if (local_only && input.forced == Lane::kCloud) {
      return fail(ErrorCode::kForbidden, "the request is local-only and asks for the cloud",
                  "ask for 'local' or 'auto', or send it with privacy 'allow'");
    }
    if (local_only) {
      if (!input.local_available) return nothing_can(input);
      reasons.push_back(rule("policy", "it is local-only: it never leaves the device"));
      return Lane::kLocal;
    }
    if (input.forced) {
      reasons.push_back(
          rule("policy", fmt::format("the app asked for the {} lane", name(*input.forced))));
      const bool there =
          *input.forced == Lane::kLocal ? input.local_available : input.cloud_available;
      if (there) return *input.forced;
      return *input.forced == Lane::kLocal
                 ? fail(ErrorCode::kUnavailable, "there is no local model",
                        "get one: minimill pull smollm2:135m")
                 : fail(ErrorCode::kUnavailable, "there is no cloud provider",
                        "add a [[provider]] to the configuration");
    }
    if (!input.local_available && !input.cloud_available) return nothing_can(input);
    if (!input.cloud_available) {
      reasons.push_back(rule("capacity", "there is no cloud provider"));
      return Lane::kLocal;
    }
    if (!input.local_available) {
      reasons.push_back(rule("capacity", "there is no local model"));
      return Lane::kCloud;
    }
    if (input.images > 0) {
      reasons.push_back(rule("capacity", "it brings images, and the local model reads text"));
      return Lane::kCloud;
    }
    const std::int64_t needed = estimated_tokens(input.text.size()) + kAnswerTokens;
    if (input.local_context_tokens > 0 && needed > input.local_context_tokens) {
      reasons.push_back(
          rule("capacity", fmt::format("it needs about {} tokens, the local model takes {}", needed,
                                       input.local_context_tokens)));
      return Lane::kCloud;
    }
    return std::nullopt;
  }

  /// The text's estimate, drawn towards how the operation has fared: the mean of a beta
  /// distribution whose prior is worth kPriorStrength outcomes.
  double with_history(const Operations::Operation& operation, double p_text,
                      std::vector<Reason>& reasons) const {
    const double outcomes = operation.local_ok + operation.local_failed;
    const double p = (operation.local_ok + kPriorStrength * p_text) / (outcomes + kPriorStrength);
    if (outcomes > 0) {
      reasons.push_back(
          {.layer = "history",
           .text =
               fmt::format("of the last tries of this operation on the device {:.0f} % were right",
                           100 * operation.local_ok / outcomes),
           .weight = log_odds(p) - log_odds(p_text)});
    }
    return p;
  }

  RouterOptions options;
  DifficultyModel model;
  Operations operations;
  Confidence confidence;
};

Router::Router(RouterOptions options) : impl_(std::make_unique<Impl>(options)) {}
Router::~Router() = default;
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;

Result<Decision> Router::decide(const RouteInput& input) const {
  Decision decision;
  const RouterOptions& options = impl_->options;
  decision.threshold =
      input.threshold.value_or(input.verifiable ? options.threshold_checked : options.threshold);
  std::vector<Reason> rules;
  Result<std::optional<Lane>> ruled = impl_->by_rule(input, rules);
  if (!ruled) return std::unexpected(std::move(ruled.error()));

  const Features features = extract_features(input);
  decision.operation = impl_->operations.find(input, features);
  const double learnt = impl_->model.learnt_contribution(features);
  const double p_text = sigmoid(impl_->model.readable_score(features) + learnt);
  decision.p_local_ok = p_text;
  std::vector<Reason> weighed;
  add_difficulty(impl_->model, features, learnt, weighed);
  const Operations::Operation* operation = impl_->operations.get(decision.operation);
  if (operation != nullptr) decision.p_local_ok = impl_->with_history(*operation, p_text, weighed);

  if (*ruled) {
    decision.lane = **ruled;
  } else {
    const bool explore = input.verifiable && operation != nullptr &&
                         decision.p_local_ok < decision.threshold &&
                         decision.p_local_ok >= kExploreFloor && operation->trial != 0 &&
                         operation->trial == fingerprint(features);
    if (explore) {
      rules.push_back(
          rule("exploration",
               fmt::format("{} of this operation went to the cloud unseen; this one is tried "
                           "on the device, where its check tells whether that got better",
                           operation->since_tried)));
    }
    const bool local = explore || decision.p_local_ok >= decision.threshold;
    decision.lane = local ? Lane::kLocal : Lane::kCloud;
  }
  std::ranges::stable_sort(weighed, std::ranges::greater{},
                           [](const Reason& reason) { return std::abs(reason.weight); });
  decision.reasons = std::move(rules);
  for (Reason& reason : weighed) {
    if (decision.reasons.size() >= kMaxReasons) break;
    decision.reasons.push_back(std::move(reason));
  }
  return decision;
}

std::string Router::recognise(const RouteInput& input) {
  return impl_->operations.remember(input, extract_features(input));
}

void Router::learn(const RouteInput& input, std::string_view operation, bool local_ok,
                   double weight) {
  impl_->model.update(extract_features(input), local_ok, weight, impl_->options.learning_rate);
  impl_->operations.learn(operation, local_ok, weight);
}

double Router::p_after_tokens(double p_before, double mean_logprob) const {
  return impl_->confidence.p_ok(p_before, mean_logprob);
}

void Router::learn_confidence(double p_before, double mean_logprob, bool local_ok) {
  impl_->confidence.learn(p_before, mean_logprob, local_ok);
}

std::vector<OperationStats> Router::operations() const {
  std::vector<OperationStats> stats;
  for (const auto& [slug, operation] : impl_->operations.all()) {
    stats.push_back({.operation = slug,
                     .title = operation.title,
                     .seen = operation.seen,
                     .local_ok = operation.local_ok,
                     .local_failed = operation.local_failed});
  }
  return stats;
}

const RouterOptions& Router::options() const { return impl_->options; }

std::string Router::save() const {
  std::string state(kMagic);
  state += impl_->confidence.to_text() + '\n';
  impl_->model.append_state(state);
  impl_->operations.append_state(state);
  return sha256_hex(state) + state;
}

Result<Router> Router::load(std::string_view bytes, RouterOptions options) {
  if (bytes.size() < kDigestBytes + kMagic.size())
    return fail(ErrorCode::kCorrupt, "the router's state is cut off");
  std::string_view state = bytes.substr(kDigestBytes);
  if (sha256_hex(state) != bytes.substr(0, kDigestBytes)) {
    return fail(ErrorCode::kCorrupt, "the router's state is damaged: its checksum is wrong");
  }
  const bool old = state.starts_with(kOldMagic);
  if (!old && !state.starts_with(kMagic))
    return fail(ErrorCode::kCorrupt, "the router's state is of another version");
  state.remove_prefix(kMagic.size());
  Router router(options);
  if (!old) {
    const std::size_t end = std::min(state.find('\n'), state.size());
    Result<Confidence> confidence = Confidence::parse(state.substr(0, end));
    if (!confidence) return std::unexpected(std::move(confidence.error()));
    router.impl_->confidence = *confidence;
    state.remove_prefix(std::min(end + 1, state.size()));
  }
  if (Result<> taken = router.impl_->model.take_state(state); !taken)
    return std::unexpected(taken.error());
  if (Result<> taken = router.impl_->operations.take_state(state); !taken)
    return std::unexpected(taken.error());
  return router;
}

}  // namespace minimill::route
