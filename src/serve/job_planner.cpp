#include "serve/job_planner.h"

#include <cmath>
#include <ranges>
#include <utility>

#include "base/log.h"
#include "chat/token_estimate.h"
#include "route/features.h"

namespace minimill::serve {
namespace {

constexpr std::size_t kRemembered = 500;  // requests read from the ledger when starting
constexpr double kMsPerSecond = 1000;
constexpr cloud::Price kTakenForUnknown{
    .input_usd_per_mtok = 2.5, .cached_input_usd_per_mtok = 1.25, .output_usd_per_mtok = 10};

chat::Usage usage_of(const Work& work, const lane::ServicePrediction& predicted) {
  return {.prompt_tokens = chat::estimated_tokens(work.prompt_bytes),
          .completion_tokens = std::llround(predicted.answer_tokens)};
}

}  // namespace

JobPlanner::JobPlanner(ledger::Ledger& ledger, const Backends& backends) : backends_(backends) {
  const Result<std::vector<ledger::RequestRecord>> newest = ledger.recent(kRemembered);
  if (newest) {
    for (const ledger::RequestRecord& record : std::views::reverse(*newest)) learn(record);
  } else {
    log::error("how long requests take cannot be read: {}", newest.error().to_string());
  }
}

void JobPlanner::learn(const ledger::RequestRecord& record) {
  // What came through a batch took hours, and says nothing of a lane.
  if (record.origin == chat::Origin::kBatch) return;
  for (const ledger::Attempt& attempt : record.attempts) {
    // What failed says nothing of how long it would have taken.
    if (!attempt.error.empty() || attempt.usage == chat::Usage{}) continue;
    times_.learn({.lane = attempt.lane,
                  .model = attempt.model,
                  .operation = record.decision.operation,
                  .prompt_tokens = attempt.usage.prompt_tokens,
                  .answer_tokens = attempt.usage.completion_tokens,
                  .seconds = attempt.duration_ms / kMsPerSecond});
  }
}

lane::Estimate JobPlanner::estimate(const Work& work, chat::Lane lane) const {
  const Backend& backend = backends_[lane];
  const bool own = lane == work.lane && !work.model.empty();
  const std::string model = own ? work.model : backend.default_model();
  const lane::ServicePrediction predicted = times_.predict(
      lane, model, work.operation, chat::estimated_tokens(work.prompt_bytes), work.max_tokens);
  const chat::Usage usage = usage_of(work, predicted);
  double usd = backend.cost_usd(backend.name_of(model), model, usage);
  // Nobody wants all work sent out because the price list does not know a model.
  if (backend.destination() == chat::Destination::kCloud && usd == 0)
    usd = cloud::cost_usd(kTakenForUnknown, usage);
  return {.service_s = predicted.seconds, .usd = usd, .observed = predicted.observed};
}

lane::Job JobPlanner::job(const Work& work) const {
  lane::Job job;
  job.lane = work.lane;
  job.priority = work.priority;
  job.app = work.app;
  job.about = work.about;
  job.in[chat::index(job.lane)] = estimate(work, job.lane);
  if (work.may_move) {
    const chat::Lane elsewhere = lane::other(job.lane);
    job.in[chat::index(elsewhere)] = estimate(work, elsewhere);
  }
  if (work.deadline) job.deadline_s = lane::scheduler_seconds(*work.deadline);
  return job;
}

std::int64_t JobPlanner::expected_answer_tokens(std::string_view model,
                                                std::int64_t max_tokens) const {
  return std::llround(times_.predict(chat::Lane::kCloud, model, "", 0, max_tokens).answer_tokens);
}

double JobPlanner::expected_usd(const Work& work) const {
  const Backend& cloud = backends_[chat::Lane::kCloud];
  const std::string model =
      work.lane == chat::Lane::kCloud && !work.model.empty() ? work.model : cloud.default_model();
  const lane::ServicePrediction predicted =
      times_.predict(chat::Lane::kCloud, model, work.operation,
                     chat::estimated_tokens(work.prompt_bytes), work.max_tokens);
  return cloud.cost_usd(cloud.name_of(model), model, usage_of(work, predicted));
}

chat::Reason move_reason(lane::Move move, chat::Lane to) {
  const std::string where =
      to == chat::Lane::kCloud ? "the cloud had a free slot" : "the device had a free slot";
  const std::string why = move == lane::Move::kDeadline
                              ? "it would have missed its deadline in its own lane"
                          : move == lane::Move::kAge ? "it had waited long for its size"
                                                     : "its lane's backlog cost more than moving";
  return {.layer = "balance", .text = why + ", and " + where, .weight = 0};
}

}  // namespace minimill::serve
