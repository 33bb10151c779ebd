#pragma once

// POST /v1/feedback: what an app thinks of an answer. {"request_id": "req_…", "outcome": "good" or
// "bad", "comment": "…"}. It goes into the ledger, and the router learns from it where the device
// answered.

#include "api/routes.h"
#include "learn/outcomes.h"
#include "ledger/ledger.h"

namespace minimill::api {

class FeedbackApi {
 public:
  FeedbackApi(const Clock& clock, learn::Outcomes& outcomes, ledger::Ledger& ledger);

  void add_to(Routes& routes);

 private:
  /// kNotFound for what was never asked, or by another app.
  Result<> may_judge(const http::Request& request, const RequestId& id);
  asio::awaitable<void> feedback(const http::Request& request, http::Responder& out);

  const Clock& clock_;
  learn::Outcomes& outcomes_;
  ledger::Ledger& ledger_;
};

}  // namespace minimill::api
