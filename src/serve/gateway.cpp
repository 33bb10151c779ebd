#include "serve/gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

#include "base/retry.h"
#include "route/confidence.h"
#include "serve/counted_stream.h"
#include "serve/held_answer.h"
#include "serve/ledgered_stream.h"
#include "serve/open_request.h"

namespace minimill::serve {
namespace {

/// May the other lane's backend be asked after this? What the device cannot do the cloud may,
/// whatever the device says of it; what the cloud refuses the device would refuse, too.
bool is_the_backends(const Error& error, chat::Lane lane) {
  if (error.code == ErrorCode::kCancelled) return false;
  return lane == chat::Lane::kLocal ||
         (error.code != ErrorCode::kInvalidArgument && error.code != ErrorCode::kForbidden);
}

}  // namespace

Gateway::Gateway(const Clock& clock, IdSource& ids, Decider& decider, lane::Lanes& lanes,
                 const Backends& backends, std::vector<Stage*> stages, const Observers& observers)
    : clock_(clock),
      ids_(ids),
      decider_(decider),
      lanes_(lanes),
      backends_(backends),
      stages_(std::move(stages)),
      observers_(observers) {}

std::unique_ptr<OpenRequest> Gateway::open(policy::Request request, RequestId id) {
  Considered considered = decider_.consider(request);
  return std::make_unique<OpenRequest>(clock_, backends_, observers_, std::move(id),
                                       std::move(request), std::move(considered));
}

Result<chat::Decision> Gateway::decide(const policy::Request& request) {
  return decider_.decide(request, decider_.consider(request));
}

Result<chat::Decision> Gateway::meet(const policy::Request& request) {
  return decider_.meet(request, decider_.consider(request));
}

lane::Job Gateway::job(const policy::Request& request, const chat::Decision& decision,
                       std::optional<SteadyTime> due) {
  Work work = decider_.work(request, decider_.consider(request), decision);
  if (due) work.deadline = due;
  return decider_.job(work);
}

policy::Budgets::Hold Gateway::reserve(const policy::Request& request,
                                       const chat::Decision& decision) {
  return decider_.hold(decider_.work(request, decider_.consider(request), decision));
}

bool Gateway::may_degrade(const OpenRequest& open, ErrorCode from_cloud) const {
  const policy::Request& request = open.request();
  const bool in_time = !request.chat.deadline || clock_.steady() < *request.chat.deadline;
  return is_transient(from_cloud) && in_time && !request.choice.lane && request.accepts_degraded &&
         open.considered().input.local_available && open.considered().input.images == 0;
}

void Gateway::degrade(OpenRequest& open) const {
  open.add_reason({.layer = std::string(chat::kDegraded),
                   .text = "the cloud is out of reach, and the device answered instead",
                   .weight = 0});
}

void Gateway::judge(const OpenRequest& open, route::OutcomeKind kind, bool ok, std::string detail) {
  observers_.judged(open.observed(), {.kind = kind, .ok = ok, .detail = std::move(detail)});
}

Result<> Gateway::check_form(OpenRequest& open, const check::AnswerFormat& format,
                             const chat::ChatAnswer& answer) {
  if (Result<> fits = format.check(answer); !fits) {
    open.backend().judged(open.call(), false);
    judge(open, check::AnswerFormat::broken_kind(answer), false, fits.error().message);
    return fits;
  }
  if (format.demands()) {
    open.backend().judged(open.call(), true);
    judge(open, route::OutcomeKind::kFormKept, true, {});
  }
  return {};
}

Result<> Gateway::watch(OpenRequest& open, std::size_t tokens, std::chrono::nanoseconds took,
                        double mean_logprob) {
  const double p = decider_.p_after_tokens(open.decision(), mean_logprob);
  open.held(tokens, took, mean_logprob, p);
  if (p >= open.decision().threshold) {
    judge(open, route::OutcomeKind::kConfidence, true, {});
    return {};
  }
  constexpr double kPercent = 100;
  std::unexpected<Error> unsure =
      fail(ErrorCode::kUpstream,
           fmt::format("after {} tokens the local answer looked good enough with {:.0f} % only: "
                       "escalated to the cloud",
                       tokens, kPercent * p));
  judge(open, route::OutcomeKind::kConfidence, false, unsure.error().message);
  return unsure;
}

asio::awaitable<Result<const policy::Request*>> Gateway::apply_stages_to(OpenRequest& open) {
  const chat::Destination destination = open.backend().destination();
  const bool any = std::ranges::any_of(stages_, [&](const Stage* stage) {
    return stage->applies(open.request(), open.decision(), destination);
  });
  if (!any) co_return &open.request();
  Result<Staged> staged =
      co_await apply_stages(stages_, open.outgoing(), open.decision(), destination);
  if (!staged) co_return std::unexpected(std::move(staged.error()));
  open.staged(std::move(*staged));
  co_return &open.outgoing();
}

asio::awaitable<Result<Gateway::Reply>> Gateway::ask(OpenRequest& open, const Wanted& wanted) {
  Result<const policy::Request*> going = co_await apply_stages_to(open);
  if (!going) co_return std::unexpected(std::move(going.error()));
  Backend& backend = open.backend();
  Reply reply;
  if (wanted.whole && !wanted.watched) {
    Result<chat::ChatAnswer> answer = co_await backend.complete(**going, open.call());
    if (!answer) co_return std::unexpected(std::move(answer.error()));
    undo(open.take_staged(), *answer);
    reply.answer = std::move(*answer);
  } else {
    Result<std::unique_ptr<chat::ChatStream>> stream =
        co_await backend.stream(**going, open.call());
    if (!stream) co_return std::unexpected(std::move(stream.error()));
    auto counted = std::make_unique<CountedStream>(open, std::move(*stream));
    reply.stream = undo(open.take_staged(), std::move(counted));
  }
  open.backend_answered();
  co_return reply;
}

asio::awaitable<Result<Gateway::Reply>> Gateway::attempt(OpenRequest& open, Wanted wanted) {
  Result<protocol::Fit> fit = open.backend().fit(open.request().chat, open.call());
  if (!fit) co_return std::unexpected(std::move(fit.error()));
  open.fitted(std::move(*fit));
  Result<Reply> reply = co_await ask(open, wanted);
  if (!reply) co_return reply;
  if (reply->answer) {
    open.used(reply->answer->usage());
    Result<> fits = check_form(open, wanted.format, *reply->answer);
    if (!fits) co_return std::unexpected(std::move(fits.error()));
    co_return reply;
  }
  if (!wanted.watched && !wanted.format.demands()) co_return reply;
  co_return co_await hold_back(open, wanted, std::move(*reply));
}

asio::awaitable<Result<Gateway::Reply>> Gateway::hold_back(OpenRequest& open, Wanted wanted,
                                                           Reply reply) {
  const HoldLimits limits{.tokens = wanted.watched ? decider_.watch().tokens : 0,
                          .time = decider_.watch().time};
  HeldAnswer held;
  Result<> read = co_await hold(*reply.stream, clock_, limits, held);
  if (read && wanted.watched && !held.logprobs.empty()) {
    Result<> sure = watch(open, held.tokens, held.took, route::mean_logprob(held.logprobs));
    if (!sure) co_return std::unexpected(std::move(sure.error()));
  }
  if (read && (wanted.whole || wanted.format.demands()) && !held.whole) {
    const HoldLimits none;
    read = co_await hold(*reply.stream, clock_, none, held);
  }
  if (!read) {
    open.broke_off();
    co_return std::unexpected(std::move(read.error()));
  }
  if (held.whole) {
    chat::AnswerParts parts = held.answer();
    parts.model = reply.stream->model();
    chat::ChatAnswer answer(std::move(parts));
    open.used(answer.usage());
    Result<> fits = check_form(open, wanted.format, answer);
    if (!fits) co_return std::unexpected(std::move(fits.error()));
    if (wanted.whole) reply.answer = std::move(answer);
  }
  if (!wanted.whole) {
    reply.stream = std::make_unique<ReplayStream>(std::move(held), std::move(reply.stream));
  }
  co_return reply;
}

void Gateway::go_to(chat::Lane lane, Way& way) const {
  way.work.lane = lane;
  way.work.model = backends_[lane].default_model();
  way.work.may_move = false;
}

bool Gateway::go_on(OpenRequest& open, const Error& failed, chat::Lane lane, bool moved,
                    Way& way) const {
  if (!is_the_backends(failed, lane) || way.last_resort) return false;
  if (lane == chat::Lane::kLocal) {
    if (!decider_.may_go_out(open.request(), open.considered())) return false;
    go_to(chat::Lane::kCloud, way);
    return true;
  }
  // What the device can do is better than nothing.
  const bool was_watched = way.refused && way.refused->code == ErrorCode::kUpstream;
  const bool degrades = !way.refused && !moved && may_degrade(open, failed.code);
  if (!was_watched && !degrades && !moved) return false;
  if (degrades) degrade(open);
  way.last_resort = !moved;
  go_to(chat::Lane::kLocal, way);
  return true;
}

asio::awaitable<Result<Gateway::Reply>> Gateway::serve(OpenRequest& open, bool whole) {
  const policy::Request& request = open.request();
  Result<check::AnswerFormat> format = check::AnswerFormat::of(request.chat);
  if (!format) co_return std::unexpected(std::move(format.error()));
  // What belongs to another request is no new work.
  const bool first = request.parent.value.empty();
  Result<chat::Decision> decision = first ? decider_.meet(request, open.considered())
                                          : decider_.decide(request, open.considered());
  if (!decision) co_return std::unexpected(std::move(decision.error()));
  open.decided(std::move(*decision));
  Way way{.work = decider_.work(request, open.considered(), open.decision()), .refused = {}};
  if (!backends_[way.work.lane].estimate(Size{}).ready &&
      may_degrade(open, ErrorCode::kUnavailable)) {
    degrade(open);
    go_to(chat::Lane::kLocal, way);
    way.last_resort = true;
  }
  bool at_once = is_rung(open.decision()) && way.work.lane == chat::Lane::kLocal;
  while (true) {
    Result<lane::Slot> slot = lane::Slot{};  // a rung needs no turn in the lane
    if (!std::exchange(at_once, false)) {
      lane::Job job = decider_.job(way.work);
      slot = co_await lanes_.enter(std::move(job), request.chat.deadline);
    }
    if (!slot) co_return std::unexpected(std::move(slot.error()));
    const chat::Lane lane = slot->lane();
    const bool moved = slot->move() != lane::Move::kNone;
    if (moved) {
      way.work.model = backends_[lane].default_model();
      open.add_reason(move_reason(slot->move(), lane));
    }
    const bool local = lane == chat::Lane::kLocal;
    const Wanted wanted{
        .format = *format,
        .whole = whole,
        .watched = local && !way.last_resort && decider_.is_watched(request, open.considered())};
    Result<policy::Budgets::Hold> hold;
    if (!local) hold = decider_.reserve(request, open.considered(), way.work);
    if (!hold) {
      slot->set_end(lane::Scheduler::End::kCutShort);
      const bool unsure = way.refused && way.refused->code == ErrorCode::kUpstream;
      if (way.refused && !unsure) co_return std::unexpected(std::move(*way.refused));
      if (!decider_.may_stay_in(request, open.considered())) {
        co_return std::unexpected(std::move(hold.error()));
      }
      open.add_reason(too_dear_reason());
      go_to(chat::Lane::kLocal, way);
      way.last_resort = true;
      continue;
    }
    open.begin_attempt(way.work.model, std::move(*slot), std::move(*hold), wanted.watched,
                       decider_.longest(way.work));
    Result<Reply> reply = co_await attempt(open, wanted);
    if (reply) co_return reply;
    open.fail_attempt(reply.error());
    if (!go_on(open, reply.error(), lane, moved, way)) {
      // The cloud's own story is the one to tell where the device was only its stand-in.
      if (way.last_resort && way.refused) co_return std::unexpected(std::move(*way.refused));
      co_return reply;
    }
    way.refused = std::move(reply.error());
  }
}

Served Gateway::served(OpenRequest& open, chat::ChatAnswer answer) {
  open.end_attempt(answer.usage());
  chat::ChatAnswer trimmed = std::move(answer);
  open.trim_logprobs(trimmed);
  Served served{.serving = open.serving(), .answers = {}, .cost_usd = open.cost_usd()};
  const bool wanted = observers_.wants_content(open.observed());
  const chat::ChatAnswer none;
  observers_.answered(open.observed(), wanted ? trimmed : none, open.mean_logprob());
  served.answers.push_back(std::move(trimmed));
  open.close();
  return served;
}

asio::awaitable<Result<Served>> Gateway::complete(policy::Request request) {
  const std::unique_ptr<OpenRequest> opened = open(std::move(request), ids_.request());
  Result<Reply> reply = co_await serve(*opened, true);
  if (!reply) {
    opened->close(reply.error());
    co_return std::unexpected(std::move(reply.error()));
  }
  co_return served(*opened, std::move(*reply->answer));
}

asio::awaitable<Result<Served>> Gateway::complete(policy::Request request, Turn turn) {
  const std::unique_ptr<OpenRequest> opened = open(std::move(request), std::move(turn.id));
  Result<check::AnswerFormat> format = check::AnswerFormat::of(opened->request().chat);
  if (!format) {
    opened->close(format.error());
    co_return std::unexpected(std::move(format.error()));
  }
  Work work = decider_.work(opened->request(), opened->considered(), turn.decision);
  const chat::Lane lane = turn.slot.lane();
  if (lane != chat::Lane::kLocal || !is_rung(turn.decision)) {
    turn.decision.model = backends_[lane].default_model();
  }
  std::string model = turn.decision.model;
  opened->decided(std::move(turn.decision));
  Result<policy::Budgets::Hold> hold;
  if (lane == chat::Lane::kCloud) {
    hold = decider_.reserve(opened->request(), opened->considered(), work);
  }
  if (!hold) {
    opened->close(hold.error());
    co_return std::unexpected(std::move(hold.error()));
  }
  opened->begin_attempt(std::move(model), std::move(turn.slot), std::move(*hold), false,
                        decider_.longest(work));
  const Wanted wanted{.format = *format, .whole = true, .watched = false};
  Result<Reply> reply = co_await attempt(*opened, wanted);
  if (!reply) {
    opened->close(reply.error());
    co_return std::unexpected(std::move(reply.error()));
  }
  co_return served(*opened, std::move(*reply->answer));
}

asio::awaitable<Result<ServedStream>> Gateway::stream(policy::Request request) {
  std::unique_ptr<OpenRequest> opened = open(std::move(request), ids_.request());
  Result<Reply> reply = co_await serve(*opened, false);
  if (!reply) {
    opened->close(reply.error());
    co_return std::unexpected(std::move(reply.error()));
  }
  ServedStream served{.serving = opened->serving(), .stream = nullptr};
  served.stream =
      std::make_unique<LedgeredStream>(std::move(opened), std::move(reply->stream), observers_);
  co_return served;
}

asio::awaitable<Result<Embedded>> Gateway::embed(policy::Request request,
                                                 protocol::EmbeddingRequest texts) {
  chat::Decision decision;
  decision.lane = request.choice.lane.value_or(chat::Lane::kLocal);
  decision.p_local_ok = 1;
  decision.reasons.push_back(
      {.layer = "policy",
       .text = request.choice.lane ? "the app named it" : "vectors are made on the device",
       .weight = 0});
  const std::unique_ptr<OpenRequest> opened = open(std::move(request), ids_.request());
  Result<chat::Decision> within =
      decider_.within_budget(opened->request(), opened->considered(), std::move(decision));
  if (within && within->lane == chat::Lane::kCloud) {
    const Result<> may = policy::may_leave(opened->request().privacy);
    if (!may) within = std::unexpected(may.error());
  }
  if (!within) {
    opened->close(within.error());
    co_return std::unexpected(std::move(within.error()));
  }
  opened->decided(std::move(*within));
  Work work = decider_.work(opened->request(), opened->considered(), opened->decision());
  work.may_move = false;
  lane::Job job = decider_.job(work);
  Result<lane::Slot> slot = co_await lanes_.enter(std::move(job), opened->request().chat.deadline);
  if (!slot) {
    opened->close(slot.error());
    co_return std::unexpected(std::move(slot.error()));
  }
  Result<policy::Budgets::Hold> hold;
  if (work.lane == chat::Lane::kCloud) {
    hold = decider_.reserve(opened->request(), opened->considered(), work);
  }
  if (!hold) {
    opened->close(hold.error());
    co_return std::unexpected(std::move(hold.error()));
  }
  opened->begin_attempt(work.model, std::move(*slot), std::move(*hold), false,
                        decider_.longest(work));
  Result<protocol::EmbeddingAnswer> answer =
      co_await opened->backend().embed(opened->request(), texts, opened->call());
  if (answer && texts.dimensions) answer = protocol::shorten(std::move(*answer), *texts.dimensions);
  if (!answer) {
    opened->close(answer.error());
    co_return std::unexpected(std::move(answer.error()));
  }
  opened->end_attempt(chat::Usage{.prompt_tokens = answer->prompt_tokens});
  Embedded embedded{
      .answer = std::move(*answer), .serving = opened->serving(), .cost_usd = opened->cost_usd()};
  if (texts.dimensions) embedded.serving.emulated.emplace_back("dimensions");
  opened->close();
  co_return embedded;
}

}  // namespace minimill::serve
