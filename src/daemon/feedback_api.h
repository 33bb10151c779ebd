#pragma once

// POST /v1/feedback: what an app thinks of an answer. {"request_id": "req_…", "outcome": "good" or
// "bad", "comment": "…"}. It goes into the ledger, and the router learns from it where the device
// answered.

#include <functional>

#include "daemon/recent_answers.h"
#include "daemon/routes.h"
#include "ledger/ledger.h"

namespace minimill::daemon {

class FeedbackApi {
 public:
  /// `learnt` is called when the router has learnt something that is to be saved.
  FeedbackApi(const Clock& clock, route::Router& router, RecentAnswers& recent,
              ledger::Ledger& ledger, std::function<void()> learnt);

  void add_to(Routes& routes);

 private:
  asio::awaitable<void> feedback(const http::Request& request, http::Responder& out);
  bool learn(std::string_view id, bool good);

  const Clock& clock_;
  route::Router& router_;
  RecentAnswers& recent_;
  ledger::Ledger& ledger_;
  std::function<void()> learnt_;
};

}  // namespace minimill::daemon
