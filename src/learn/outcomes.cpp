#include "learn/outcomes.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"

namespace minimill::learn {
namespace {

constexpr std::chrono::minutes kSoon{10};  // so long after an answer, asking again is about it

}  // namespace

Outcomes::Outcomes(const Clock& clock, route::Router& router, RouterKeeper& keeper,
                   ledger::Ledger& ledger)
    : clock_(clock), router_(router), keeper_(keeper), ledger_(ledger) {}

void Outcomes::remember(const RequestId& id, RecentAnswer answer) {
  answer.at = clock_.wall();
  recent_.remember(id, std::move(answer));
}

void Outcomes::record(const RequestId& id, std::string_view kind, bool ok, std::string detail) {
  ledger_.record(ledger::Outcome{.request = id,
                                 .at = clock_.wall(),
                                 .kind = std::string(kind),
                                 .ok = ok,
                                 .detail = std::move(detail)});
}

void Outcomes::teach(const route::RouteInput& input, std::string_view operation,
                     route::OutcomeKind kind, bool ok) {
  if (router_.learn(input, operation, ok, kind)) {
    log::warn("'{}' goes wrong on the device more often than it used to: it is handled carefully",
              operation);
  }
  keeper_.note_learnt();
}

void Outcomes::local(const RequestId& id, const route::RouteInput& input,
                     std::string_view operation, route::OutcomeKind kind, bool ok,
                     std::string detail) {
  record(id, route::name(kind), ok, std::move(detail));
  teach(input, operation, kind, ok);
}

void Outcomes::cloud(const RequestId& id, const route::RouteInput& input,
                     std::string_view operation, route::OutcomeKind kind, bool ok,
                     std::string detail) {
  record(id, route::name(kind), ok, std::move(detail));
  router_.learn_cloud(input, operation, ok, kind);
  keeper_.note_learnt();
}

void Outcomes::compared(const RequestId& id, const route::RouteInput& input,
                        std::string_view operation, route::OutcomeKind kind, bool ok,
                        std::string detail) {
  router_.audit(input, operation, !ok);
  if (RecentAnswer* answer = recent_.find(id.value); answer != nullptr && answer->judged) {
    if (answer->judged->kind < kind) {
      router_.confirm(kind, answer->judged->ok == ok);
    } else {
      router_.confirm(answer->judged->kind, answer->judged->ok == ok);
    }
  } else if (answer != nullptr) {
    answer->judged = Judgement{.kind = kind, .ok = ok};
  }
  local(id, input, operation, kind, ok, std::move(detail));
  // The cloud's answer is what the local one was held against: as far as that, it is right.
  router_.learn_cloud(input, operation, true, kind);
}

std::optional<std::string> Outcomes::asked_by(std::string_view id) {
  const RecentAnswer* answer = recent_.find(id);
  if (answer == nullptr) return std::nullopt;
  return answer->input.app;
}

bool Outcomes::said(std::string_view id, route::OutcomeKind kind, bool ok) {
  RecentAnswer* answer = recent_.find(id);
  if (answer == nullptr || answer->lane != chat::Lane::kLocal) return false;
  if (answer->judged) {
    if (answer->judged->kind <= kind) return false;
    router_.confirm(answer->judged->kind, answer->judged->ok == ok);
  }
  answer->judged = Judgement{.kind = kind, .ok = ok};
  teach(answer->input, answer->operation, kind, ok);
  if (answer->mean_logprob) {
    router_.learn_confidence(answer->p_before, *answer->mean_logprob, ok);
  }
  return true;
}

void Outcomes::escalated(const RequestId& id, std::string why) {
  record(id, "escalated", false, std::move(why));
}

void Outcomes::confidence(double p_before, double mean_logprob, bool ok) {
  router_.learn_confidence(p_before, mean_logprob, ok);
  keeper_.note_learnt();
}

void Outcomes::asked_cloud(std::string_view app, std::string_view text) {
  const std::string id = recent_.same_asked(app, text);
  const RecentAnswer* answer = recent_.find(id);
  if (answer == nullptr || clock_.wall() - answer->at > kSoon) return;
  constexpr route::OutcomeKind kKind = route::OutcomeKind::kAskedAgain;
  if (said(id, kKind, false)) {
    record(RequestId{id}, route::name(kKind), false, "the app asked the cloud the same again");
  }
}

}  // namespace minimill::learn
