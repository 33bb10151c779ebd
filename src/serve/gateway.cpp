#include "serve/gateway.h"

#include <fmt/format.h>

#include <functional>
#include <limits>
#include <utility>

#include "chat/token_estimate.h"
#include "check/answer_format.h"
#include "route/confidence.h"
#include "route/features.h"
#include "serve/held_answer.h"
#include "serve/open_request.h"

namespace minimill::serve {
namespace {

/// A backend's stream that keeps the request's place in its lane and writes its row when it ends.
class LedgeredStream final : public chat::ChatStream {
 public:
  /// `given` is told the answer when it has ended well, whole if it is `gathered`, else empty.
  LedgeredStream(std::unique_ptr<OpenRequest> open, std::unique_ptr<chat::ChatStream> inner,
                 bool gathered, std::function<void(OpenRequest&, chat::ChatAnswer)> given)
      : open_(std::move(open)),
        inner_(std::move(inner)),
        gathered_(gathered),
        given_(std::move(given)) {}

  asio::awaitable<Result<std::optional<chat::ChatEvent>>> next() override {
    Result<std::optional<chat::ChatEvent>> event = co_await inner_->next();
    if (!event) {
      open_->close(event.error());
    } else if (!*event) {
      open_->end_attempt(usage_);
      given_(*open_, chat::ChatAnswer(std::move(answer_)));
      open_->close();
    } else if (const auto* report = std::get_if<chat::UsageReport>(&**event)) {
      usage_ = report->usage;
    } else {
      open_->first_token();
      open_->trim_logprobs(**event);
      if (gathered_) chat::accumulate(answer_, **event);
    }
    co_return event;
  }

  const std::string& model() const override { return inner_->model(); }

 private:
  std::unique_ptr<OpenRequest> open_;  // outlives the backend's stream: members go in reverse order
  std::unique_ptr<chat::ChatStream> inner_;
  bool gathered_;
  std::function<void(OpenRequest&, chat::ChatAnswer)> given_;
  chat::AnswerParts answer_;
  chat::Usage usage_;
};

constexpr double kAnySum = std::numeric_limits<double>::infinity();

bool is_device_failure(const Error& error) {
  return error.code != ErrorCode::kInvalidArgument && error.code != ErrorCode::kCancelled &&
         error.code != ErrorCode::kForbidden;
}

}  // namespace

Gateway::Gateway(const Clock& clock, IdSource& ids, route::Router& router, ModelSelector& selector,
                 Engines& engines, Backends& backends, lane::Lanes& lanes, ledger::Ledger& ledger,
                 learn::Outcomes& outcomes, Shadow& shadow, const JobPlanner& planner,
                 Spending& spending, WatchOptions watch)
    : clock_(clock),
      ids_(ids),
      router_(router),
      selector_(selector),
      engines_(engines),
      backends_(backends),
      lanes_(lanes),
      ledger_(ledger),
      outcomes_(outcomes),
      shadow_(shadow),
      planner_(planner),
      spending_(spending),
      watch_(watch) {}

route::RouteInput Gateway::route_input(Ask& ask) {
  route::RouteInput input = route::route_input(ask.request);
  input.app = ask.app;
  input.model = engines_.default_model();
  input.privacy = ask.privacy;
  input.forced = ask.choice.lane;
  input.threshold = ask.threshold;
  // A model the app names itself may be another than the default one: finding it settles the
  // matter.
  const bool named_local = ask.choice.lane == chat::Lane::kLocal && !ask.choice.model.empty();
  input.local_available = named_local || engines_.default_available();
  input.cloud_available = selector_.cloud_available();
  input.local_context_tokens = engines_.context_tokens();
  input.accepts_degraded = ask.accepts_degraded;
  std::optional<Spending::Left> left = spending_.weigh(input);
  if (left && left->usd < ask.max_cost_usd.value_or(kAnySum)) {
    ask.max_cost_usd = left->usd;
    ask.over_budget = std::move(left->too_dear);
  }
  return input;
}

Work Gateway::work_of(const OpenRequest& open) const {
  const Ask& ask = open.ask();
  const chat::Decision& decision = open.decision();
  return {
      .app = ask.app,
      .priority = lane::Priority::kInteractive,
      .lane = decision.lane,
      .model = decision.model,
      .operation = decision.operation,
      .prompt_bytes = open.input().text.size(),
      .max_tokens = ask.request.sampling().max_tokens.value_or(0),
      .may_move = decision.lane == chat::Lane::kLocal && may_go_out(ask) && backends_.cloud_ready(),
      .deadline = ask.request.deadline};
}

bool Gateway::may_degrade(const OpenRequest& open, const Error& from_cloud) const {
  const bool out_of_reach =
      from_cloud.code == ErrorCode::kUnavailable || from_cloud.code == ErrorCode::kTimeout ||
      from_cloud.code == ErrorCode::kUpstream || from_cloud.code == ErrorCode::kRateLimited;
  const Ask& ask = open.ask();
  const bool in_time = !ask.request.deadline || clock_.steady() < *ask.request.deadline;
  return out_of_reach && in_time && !ask.choice.lane && ask.accepts_degraded &&
         open.input().local_available && open.input().images == 0;
}

Result<chat::Decision> Gateway::with_model(const Ask& ask, const route::RouteInput& input,
                                           Result<chat::Decision> decision) {
  if (!decision) return decision;
  const auto model_of = [&](chat::Lane lane) {
    return ask.choice.model.empty() ? selector_.default_model(lane) : ask.choice.model;
  };
  decision->model = model_of(decision->lane);
  if (decision->lane == chat::Lane::kLocal || !is_too_dear(ask, decision->model)) return decision;
  if (ask.choice.lane || !input.local_available) {
    if (ask.over_budget) return std::unexpected(*ask.over_budget);
    return std::unexpected(Error{.code = ErrorCode::kForbidden,
                                 .message = "the cloud would cost more than is allowed",
                                 .hint = "allow more in x-minimill-max-cost or in the app's "
                                         "budget, or ask for 'local'",
                                 .field = "x-minimill-max-cost",
                                 .retry_after = {}});
  }
  decision->lane = chat::Lane::kLocal;
  decision->model = model_of(decision->lane);
  decision->reasons.insert(
      decision->reasons.begin(),
      {.layer = "policy", .text = "the cloud would cost more than the app allows", .weight = 0});
  return decision;
}

bool Gateway::is_too_dear(const Ask& ask, std::string_view model) const {
  if (!ask.max_cost_usd) return false;
  const std::size_t bytes = chat::prompt_text(ask.request).size();
  const chat::Usage usage{.prompt_tokens = chat::estimated_tokens(bytes),
                          .completion_tokens = planner_.expected_answer_tokens(
                              model, ask.request.sampling().max_tokens.value_or(0))};
  const bool any_model = ask.choice.model.empty();
  return backends_.least_cloud_cost_usd(model, any_model, usage) > *ask.max_cost_usd;
}

bool Gateway::may_go_out(const Ask& ask) const {
  return !ask.choice.lane && ask.privacy == policy::Privacy::kAllow &&
         selector_.cloud_available() &&
         !is_too_dear(ask, selector_.default_model(chat::Lane::kCloud));
}

asio::awaitable<Result<Gateway::Reply>> Gateway::attempt(OpenRequest& open,
                                                         const check::AnswerFormat& format,
                                                         bool whole, bool watched) {
  const Ask& ask = open.ask();
  const chat::Lane lane = open.lane();
  const std::string model = open.model();
  Reply reply;
  if (whole && !watched) {
    Result<chat::ChatAnswer> answer =
        co_await backends_.complete(lane, model, ask.request, ask.privacy, open.cloud_call());
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    open.cloud_answered();
    if (Result<> fits = format.check(*answer); !fits) {
      learn_failure(open, format.broken_kind(*answer), fits.error());
      co_return std::unexpected(std::move(fits.error()));
    }
    if (format.demands()) learn_success(open, route::OutcomeKind::kFormKept);
    reply.answer = std::move(*answer);
    co_return reply;
  }
  Result<std::unique_ptr<chat::ChatStream>> stream =
      co_await backends_.stream(lane, model, ask.request, ask.privacy, open.cloud_call());
  if (!stream) co_return std::unexpected(std::move(stream.error()));
  open.cloud_answered();
  reply.stream = std::move(*stream);
  if (!watched && !format.demands()) co_return reply;

  HoldLimits limits{.tokens = watched ? watch_.tokens : 0, .time = watch_.time};
  Result<HeldAnswer> held = co_await hold(*reply.stream, clock_, limits);
  if (!held) co_return std::unexpected(std::move(held.error()));
  if (watched && !held->logprobs.empty()) {
    const double p_before = open.decision().p_local_ok;
    const double mean = route::mean_logprob(held->logprobs);
    const double p = router_.p_after_tokens(p_before, mean);
    open.held(held->tokens, held->took, mean, p);
    if (p < open.decision().threshold) {
      Error unsure{
          .code = ErrorCode::kUpstream,
          .message = fmt::format("after {} tokens the local answer looked good enough with "
                                 "{:.0f} % only: escalated to the cloud",
                                 held->tokens, 100 * p),
          .hint = {},
          .field = {},
          .retry_after = {}};
      learn_failure(open, route::OutcomeKind::kConfidence, unsure);
      co_return std::unexpected(std::move(unsure));
    }
    learn_success(open, route::OutcomeKind::kConfidence);
  }
  if ((whole || format.demands()) && !held->whole) {
    Result<HeldAnswer> rest = co_await hold(*reply.stream, clock_, HoldLimits());
    if (!rest) co_return std::unexpected(std::move(rest.error()));
    for (chat::ChatEvent& event : rest->events) held->events.push_back(std::move(event));
    held->whole = true;
  }
  if (held->whole) {
    chat::AnswerParts gathered = held->answer();
    gathered.model = reply.stream->model();
    chat::ChatAnswer answer(std::move(gathered));
    if (Result<> fits = format.check(answer); !fits) {
      learn_failure(open, format.broken_kind(answer), fits.error());
      co_return std::unexpected(std::move(fits.error()));
    }
    if (format.demands()) learn_success(open, route::OutcomeKind::kFormKept);
    if (whole) reply.answer = std::move(answer);
  }
  if (!whole) {
    reply.stream = std::make_unique<ReplayStream>(std::move(*held), std::move(reply.stream));
  }
  co_return reply;
}

void Gateway::degrade(OpenRequest& open, Work& work) const {
  open.add_reason({.layer = std::string(chat::kDegraded),
                   .text = "the cloud is out of reach, and the device answered instead",
                   .weight = 0});
  work.lane = chat::Lane::kLocal;
  work.model = selector_.default_model(work.lane);
}

asio::awaitable<Result<Gateway::Reply>> Gateway::serve(OpenRequest& open, route::RouteInput input,
                                                       bool whole) {
  const Ask& ask = open.ask();
  Result<check::AnswerFormat> format = check::AnswerFormat::of(ask.request);
  if (!format) co_return std::unexpected(std::move(format.error()));
  Result<chat::Decision> decision = with_model(ask, input, router_.meet(input));
  if (!decision) co_return std::unexpected(std::move(decision.error()));
  if (ask.choice.lane == chat::Lane::kCloud) outcomes_.asked_cloud(ask.app, input.text);
  open.decided(std::move(input), std::move(*decision));
  Work work = work_of(open);
  std::optional<Error> refused;  // why an answer was not taken
  bool last_resort = false;      // the device is tried because the cloud could not
  const Error broken{
      .code = ErrorCode::kUnavailable, .message = {}, .hint = {}, .field = {}, .retry_after = {}};
  if (work.lane == chat::Lane::kCloud && !backends_.cloud_ready() && may_degrade(open, broken)) {
    degrade(open, work);
    last_resort = true;
  }
  while (true) {
    lane::Job job = planner_.job(work);
    Result<lane::Slot> slot = co_await lanes_.enter(std::move(job), ask.request.deadline);
    if (!slot) co_return std::unexpected(std::move(slot.error()));
    const chat::Lane lane = slot->lane();
    const bool moved = slot->move() != lane::Move::kNone;
    if (moved) {
      work.model = selector_.default_model(lane);
      open.add_reason(move_reason(slot->move(), lane));
    }
    const bool local = lane == chat::Lane::kLocal;
    const bool watched = local && watch_.enabled && !last_resort && may_go_out(ask);
    policy::Budgets::Hold hold;
    if (!local) hold = spending_.hold(work.app, work.operation, planner_.expected_usd(work));
    open.begin_attempt(lane, work.model, std::move(*slot), std::move(hold), watched);
    Result<protocol::Fit> fit =
        backends_.fit(lane, work.model, ask.request, ask.choice.model.empty());
    Result<Reply> reply = std::unexpected(Error{});
    if (fit) {
      open.fitted(std::move(*fit));
      reply = co_await attempt(open, *format, whole, watched);
    } else {
      reply = std::unexpected(std::move(fit.error()));
    }
    if (reply) co_return reply;
    open.fail_attempt(reply.error());
    if (!is_device_failure(reply.error()) || last_resort) {
      // The cloud's own story is the one to tell where the device was only its stand-in.
      if (last_resort && refused) co_return std::unexpected(std::move(*refused));
      co_return reply;
    }
    work.may_move = false;
    if (local) {
      if (!may_go_out(ask)) co_return reply;
      work.lane = chat::Lane::kCloud;
    } else {
      // What the device can do is better than nothing.
      const bool was_watched = refused && refused->code == ErrorCode::kUpstream;
      const bool degrades = !refused && !moved && may_degrade(open, reply.error());
      if (!was_watched && !degrades && !moved) co_return reply;
      if (degrades) degrade(open, work);
      last_resort = !moved;
      work.lane = chat::Lane::kLocal;
    }
    work.model = selector_.default_model(work.lane);
    refused = std::move(reply.error());
  }
}

asio::awaitable<Result<Served>> Gateway::complete(Ask ask) {
  route::RouteInput input = route_input(ask);
  OpenRequest open(clock_, backends_, ledger_, ids_.request(), std::move(ask));
  Result<Reply> reply = co_await serve(open, std::move(input), true);
  if (!reply) {
    open.close(reply.error());
    co_return std::unexpected(std::move(reply.error()));
  }
  chat::ChatAnswer& answer = *reply->answer;
  open.end_attempt(answer.usage());
  open.trim_logprobs(answer);
  Served served{.serving = open.serving(), .answers = {}, .cost_usd = open.cost_usd()};
  given(open, is_compared(open) ? answer : chat::ChatAnswer{});
  served.answers.push_back(std::move(answer));
  open.close();
  co_return served;
}

asio::awaitable<Result<ServedStream>> Gateway::stream(Ask ask) {
  route::RouteInput input = route_input(ask);
  auto open =
      std::make_unique<OpenRequest>(clock_, backends_, ledger_, ids_.request(), std::move(ask));
  Result<Reply> reply = co_await serve(*open, std::move(input), false);
  if (!reply) {
    open->close(reply.error());
    co_return std::unexpected(std::move(reply.error()));
  }
  ServedStream served{.serving = open->serving(), .stream = nullptr};
  const bool gathered = is_compared(*open);
  auto when_given = [this](OpenRequest& ended, chat::ChatAnswer answer) {
    given(ended, std::move(answer));
  };
  served.stream = std::make_unique<LedgeredStream>(std::move(open), std::move(reply->stream),
                                                   gathered, std::move(when_given));
  co_return served;
}

void Gateway::judge_cloud(const OpenRequest& open, bool passed) {
  const cloud::Call& done = open.cloud_done();
  backends_.judged(done.provider, done.model, done.operation, passed);
}

void Gateway::learn_failure(const OpenRequest& open, route::OutcomeKind kind, const Error& error) {
  if (open.lane() != chat::Lane::kLocal) {
    judge_cloud(open, false);
    return;
  }
  outcomes_.local(open.id(), open.input(), open.decision().operation, kind, false, error.message);
}

void Gateway::learn_success(const OpenRequest& open, route::OutcomeKind kind) {
  if (open.lane() != chat::Lane::kLocal) {
    judge_cloud(open, true);
    return;
  }
  outcomes_.fine(open.input(), open.decision().operation, kind);
}

bool Gateway::is_compared(const OpenRequest& open) const {
  const Ask& ask = open.ask();
  return !ask.choice.lane && ask.privacy == policy::Privacy::kAllow && ask.request.choices == 1 &&
         shadow_.picks(open.id());
}

void Gateway::given(OpenRequest& open, chat::ChatAnswer answer) {
  outcomes_.remember(open.id(), open.recent());
  if (!is_compared(open) || (answer.text().empty() && answer.tool_calls().empty())) return;
  ShadowWork work{.id = open.id(),
                  .request = open.ask().request,
                  .input = open.input(),
                  .operation = open.decision().operation,
                  .answered = open.lane(),
                  .answer = std::move(answer)};
  shadow_.compare(std::move(work));
}

}  // namespace minimill::serve
