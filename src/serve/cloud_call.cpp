#include "serve/cloud_call.h"

#include <utility>

namespace minimill::serve {

void add_cloud_attempts(ledger::RequestRecord& record, const cloud::Call& done) {
  if (record.attempts.empty() || record.attempts.back().lane != chat::Lane::kCloud) return;
  ledger::Attempt own = std::move(record.attempts.back());
  record.attempts.pop_back();
  const bool answered = !done.provider.empty();
  for (const cloud::LostAttempt& lost : done.lost) {
    ledger::Attempt& row = record.attempts.emplace_back();
    row.lane = chat::Lane::kCloud;
    row.backend = lost.provider;
    row.model = lost.model;
    row.queued_ms = own.queued_ms;
    row.duration_ms = lost.duration_ms;
    row.usage = lost.usage;
    row.cost_usd = lost.cost_usd;
    row.error = lost.error;
    row.hedge = lost.hedge;
  }
  if (answered) {
    own.backend = done.provider;
    own.model = done.model;
    own.hedge = done.hedged;
    record.decision.model = done.model;
  }
  if (answered || done.lost.empty()) record.attempts.push_back(std::move(own));
  if (!done.why.empty()) {
    record.decision.reasons.push_back({.layer = "provider", .text = done.why, .weight = 0});
  }
}

}  // namespace minimill::serve
