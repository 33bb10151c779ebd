#include "serve/decider.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "chat/token_estimate.h"
#include "protocol/utf8.h"

namespace minimill::serve {
namespace {

constexpr double kAnySum = std::numeric_limits<double>::infinity();
constexpr std::size_t kShownTitle = 160;  // bytes, to whoever looks at the queue

chat::Usage expected_usage(std::size_t prompt_bytes, std::int64_t answer_tokens) {
  return {.prompt_tokens = chat::estimated_tokens(prompt_bytes),
          .completion_tokens = answer_tokens};
}

Error too_dear(const Considered& considered) {
  if (considered.over_budget) return *considered.over_budget;
  return {.code = ErrorCode::kForbidden,
          .message = "the cloud would cost more than is allowed",
          .hint = "allow more in x-minimill-max-cost or in the app's budget, or ask for 'local'",
          .field = "x-minimill-max-cost",
          .retry_after = {}};
}

}  // namespace

chat::Reason too_dear_reason() {
  return {.layer = "policy", .text = "the cloud would cost more than the app allows", .weight = 0};
}

Considered Decider::consider(const policy::Request& request) const {
  Backend& device = backends_[chat::Lane::kLocal];
  Considered considered;
  considered.max_cost_usd = request.max_cost_usd;
  route::RouteInput& input = considered.input;
  input = route::route_input(request.chat);
  input.title = request.title;
  input.app = request.app;
  input.model = device.default_model();
  input.verifiable = request.verifiable;
  input.privacy = request.privacy;
  input.forced = request.choice.lane;
  input.threshold = request.choice.quality;
  // A model the app names itself may be another than the default one: finding it settles the
  // matter.
  const bool named_local =
      request.choice.lane == chat::Lane::kLocal && !request.choice.model.empty();
  input.local_available = named_local || device.available();
  input.cloud_available = backends_[chat::Lane::kCloud].available();
  input.local_context_tokens = device.context_tokens();
  input.accepts_degraded = request.accepts_degraded;
  std::optional<Spending::Left> left = spending_.weigh(input);
  if (left && left->usd < considered.max_cost_usd.value_or(kAnySum)) {
    considered.max_cost_usd = left->usd;
    considered.over_budget = std::move(left->too_dear);
  }
  if (rung_ != nullptr && rung_->knows_any()) {
    considered.offer = rung_->offer(request, input, router_.operation_of(input));
    if (considered.offer->answer) input.local_available = true;
  }
  return considered;
}

Result<chat::Decision> Decider::decide(const policy::Request& request,
                                       const Considered& considered) const {
  return within_budget(request, considered,
                       with_offer(considered, router_.decide(considered.input)));
}

Result<chat::Decision> Decider::meet(const policy::Request& request, const Considered& considered) {
  return within_budget(request, considered, with_offer(considered, router_.meet(considered.input)));
}

Result<chat::Decision> Decider::with_offer(const Considered& considered,
                                           Result<chat::Decision> decision) {
  if (!considered.offer || considered.offer->why.empty() || !decision) return decision;
  const Offer& offer = *considered.offer;
  chat::Reason reason{.layer = "rung", .text = offer.why, .weight = 0};
  if (!offer.answer) {
    decision->reasons.push_back(std::move(reason));
    return decision;
  }
  decision->lane = chat::Lane::kLocal;
  decision->p_local_ok = offer.p_right;
  decision->threshold = offer.bar;
  decision->degraded = false;
  std::erase_if(decision->reasons,
                [](const chat::Reason& each) { return each.layer == chat::kDegraded; });
  decision->set_rule(std::move(reason));
  return decision;
}

Result<chat::Decision> Decider::within_budget(const policy::Request& request,
                                              const Considered& considered,
                                              Result<chat::Decision> decision) const {
  if (!decision) return decision;
  if (request.origin == chat::Origin::kShadow) {
    decision->set_rule(
        {.layer = "shadow", .text = "to compare both lanes' answers to one request", .weight = 0});
  }
  const auto model_of = [&](chat::Lane lane) {
    const bool rung = lane == chat::Lane::kLocal && considered.offer && considered.offer->answer;
    if (rung) return std::string(kMicroModel);
    return request.choice.model.empty() ? backends_[lane].default_model() : request.choice.model;
  };
  decision->model = model_of(decision->lane);
  if (decision->lane == chat::Lane::kLocal || !is_too_dear(request, considered, decision->model)) {
    return decision;
  }
  if (!may_stay_in(request, considered)) return std::unexpected(too_dear(considered));
  decision->lane = chat::Lane::kLocal;
  decision->model = model_of(decision->lane);
  decision->reasons.insert(decision->reasons.begin(), too_dear_reason());
  return decision;
}

bool Decider::is_too_dear(const policy::Request& request, const Considered& considered,
                          std::string_view model) const {
  if (!considered.max_cost_usd) return false;
  const Size size{
      .model = model,
      .any_model = request.choice.model.empty(),
      .usage = expected_usage(
          considered.input.text.size(),
          planner_.expected_answer_tokens(model, request.chat.sampling().max_tokens.value_or(0)))};
  return backends_[chat::Lane::kCloud].estimate(size).usd > *considered.max_cost_usd;
}

bool Decider::may_go_out(const policy::Request& request, const Considered& considered) const {
  Backend& cloud = backends_[chat::Lane::kCloud];
  return !request.choice.lane && policy::may_leave(request.privacy).has_value() &&
         cloud.available() && !is_too_dear(request, considered, cloud.default_model());
}

bool Decider::is_watched(const policy::Request& request, const Considered& considered) const {
  // Engines tell no log-probabilities of an answer that may call tools, and refuse to be asked.
  return watch_.enabled && request.chat.tools().empty() && may_go_out(request, considered);
}

Work Decider::work(const policy::Request& request, const Considered& considered,
                   const chat::Decision& decision) const {
  const bool elsewhere_too = decision.lane == chat::Lane::kLocal && !decision.degraded &&
                             may_go_out(request, considered) &&
                             backends_[chat::Lane::kCloud].estimate(Size{}).ready;
  return {.app = request.app,
          .priority = chat::is_interactive(request.origin) ? lane::Priority::kInteractive
                                                           : lane::Priority::kBackground,
          .lane = decision.lane,
          .model = decision.model,
          .operation = decision.operation,
          .prompt_bytes = considered.input.text.size(),
          .max_tokens = request.chat.sampling().max_tokens.value_or(0),
          .may_move = elsewhere_too,
          .deadline = request.chat.deadline,
          .about = {.task = request.task.value,
                    .run = request.run.value,
                    .title = std::string(protocol::utf8_prefix(request.title, kShownTitle)),
                    .operation = decision.operation}};
}

std::chrono::milliseconds Decider::longest(const Work& work) const {
  constexpr std::chrono::milliseconds kAtLeast{600'000};
  constexpr double kTimesPredicted = 10;
  constexpr double kAtMost_s = 86'400;
  const lane::Job job = planner_.job(work);
  const auto& predicted = job.in[chat::index(work.lane)];
  const double predicted_s = predicted ? predicted->service_s : 0;
  const std::chrono::duration<double> longest(std::min(kTimesPredicted * predicted_s, kAtMost_s));
  return std::max(kAtLeast, std::chrono::duration_cast<std::chrono::milliseconds>(longest));
}

policy::Budgets::Hold Decider::hold(const Work& work) const {
  return spending_.hold(work.app, work.operation, planner_.expected_usd(work));
}

Result<policy::Budgets::Hold> Decider::reserve(const policy::Request& request,
                                               Considered& considered, const Work& work) const {
  Result<std::optional<Spending::Left>> left = spending_.left(work.app, work.operation);
  if (!left) return std::unexpected(std::move(left.error()));
  if (*left && (*left)->usd < considered.max_cost_usd.value_or(kAnySum)) {
    considered.max_cost_usd = (*left)->usd;
    considered.over_budget = std::move((*left)->too_dear);
  }
  if (is_too_dear(request, considered, work.model)) return std::unexpected(too_dear(considered));
  // Whoever costs more than is left is not asked, unless all do.
  const double usd =
      std::min(planner_.expected_usd(work), considered.max_cost_usd.value_or(kAnySum));
  return spending_.hold(work.app, work.operation, usd);
}

}  // namespace minimill::serve
