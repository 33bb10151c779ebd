#pragma once

// What becomes known of answers, by whatever way, on its way to the router and into the ledger.
// Where two ways speak about the same answer, the stronger one also tells how far the weaker one is
// to be believed. Event-loop thread only.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "learn/recent_answers.h"
#include "learn/router_keeper.h"
#include "ledger/ledger.h"
#include "route/router.h"

namespace minimill::learn {

class Outcomes {
 public:
  Outcomes(const Clock& clock, route::Router& router, RouterKeeper& keeper, ledger::Ledger& ledger);

  /// An answer was given; it may be judged later.
  void remember(const RequestId& id, RecentAnswer answer);

  /// A local answer turned out so: recorded, and the router learns from it.
  void local(const RequestId& id, const route::RouteInput& input, std::string_view operation,
             route::OutcomeKind kind, bool ok, std::string detail);
  /// The same of the cloud's answer.
  void cloud(const RequestId& id, const route::RouteInput& input, std::string_view operation,
             route::OutcomeKind kind, bool ok, std::string detail);
  /// The same of an answer that no language model gave: recorded, and the router learns nothing.
  void rung(const RequestId& id, route::OutcomeKind kind, bool ok, std::string detail) {
    record(id, route::name(kind), ok, std::move(detail));
  }
  /// A local answer gave no cause for complaint: the router learns that, and nothing is recorded.
  void fine(const route::RouteInput& input, std::string_view operation, route::OutcomeKind kind) {
    teach(input, operation, kind, true);
  }
  /// The answers of both lanes to a request picked at random were held against each other. `ok`:
  /// the local one was no worse.
  void compared(const RequestId& id, const route::RouteInput& input, std::string_view operation,
                route::OutcomeKind kind, bool ok, std::string detail);
  /// Whose answer it was; nullopt where it is not remembered (any more).
  std::optional<std::string> asked_by(std::string_view id);
  /// Someone speaks about a remembered answer, who records that himself. False where the router can
  /// learn nothing from it: not remembered, not local, or that kind has spoken before.
  bool said(std::string_view id, route::OutcomeKind kind, bool ok);
  /// The device's answer was not good enough, and the cloud is asked.
  void escalated(const RequestId& id, std::string why);
  /// How good an answer was whose first tokens had that mean log-probability.
  void confidence(double p_before, double mean_logprob, bool ok);
  /// The app asks the cloud, by name, what it has just had from the device.
  void asked_cloud(std::string_view app, std::string_view text);

 private:
  void record(const RequestId& id, std::string_view kind, bool ok, std::string detail);
  void teach(const route::RouteInput& input, std::string_view operation, route::OutcomeKind kind,
             bool ok);

  const Clock& clock_;
  route::Router& router_;
  RouterKeeper& keeper_;
  ledger::Ledger& ledger_;
  RecentAnswers recent_;
};

}  // namespace minimill::learn
