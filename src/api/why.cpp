#include "api/why.h"

#include "base/rfc3339.h"

namespace minimill::api {
namespace {

namespace json = boost::json;

json::object attempt_json(const ledger::Attempt& attempt) {
  return {{"lane", chat::name(attempt.lane)},
          {"backend", attempt.backend},
          {"model", attempt.model},
          {"queued_ms", attempt.queued_ms},
          {"first_token_ms", attempt.first_token_ms},
          {"duration_ms", attempt.duration_ms},
          {"prompt_tokens", attempt.usage.prompt_tokens},
          {"completion_tokens", attempt.usage.completion_tokens},
          {"cost_usd", attempt.cost_usd},
          {"usage_estimated", attempt.usage.estimated},
          {"hedge", attempt.hedge},
          {"held_tokens", attempt.held_tokens},
          {"held_ms", attempt.held_ms},
          {"p_held", attempt.p_held},
          {"error", attempt.error}};
}

json::array reasons_json(const chat::Decision& decision) {
  json::array reasons;
  for (const chat::Reason& reason : decision.reasons) {
    reasons.push_back({{"layer", reason.layer}, {"text", reason.text}, {"weight", reason.weight}});
  }
  return reasons;
}

}  // namespace

json::object to_json(const chat::Decision& decision) {
  return {{"lane", chat::name(decision.lane)}, {"model", decision.model},
          {"operation", decision.operation},   {"p_local_ok", decision.p_local_ok},
          {"threshold", decision.threshold},   {"reasons", reasons_json(decision)}};
}

json::object to_json(const Explained& explained) {
  const ledger::RequestRecord& record = explained.record;
  json::array attempts;
  for (const ledger::Attempt& attempt : record.attempts) attempts.push_back(attempt_json(attempt));
  json::array outcomes;
  for (const ledger::Outcome& outcome : explained.outcomes) {
    outcomes.push_back({{"at", rfc3339(outcome.at)},
                        {"kind", outcome.kind},
                        {"ok", outcome.ok},
                        {"detail", outcome.detail}});
  }
  return {{"request", record.id.value},
          {"at", rfc3339(record.at)},
          {"app", record.app},
          {"task", record.task.value},
          {"run", record.run.value},
          {"trace", record.label},
          {"model_asked", record.model_asked},
          {"privacy", record.privacy},
          {"status", record.status},
          {"lane", chat::name(record.decision.lane)},
          {"model", record.decision.model},
          {"operation", record.decision.operation},
          {"p_local_ok", record.decision.p_local_ok},
          {"threshold", record.decision.threshold},
          {"cloud_usd", record.cloud_usd},
          {"reasons", reasons_json(record.decision)},
          {"attempts", std::move(attempts)},
          {"outcomes", std::move(outcomes)}};
}

}  // namespace minimill::api
