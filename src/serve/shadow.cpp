#include "serve/shadow.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "check/answer_comparison.h"

namespace minimill::serve {
namespace {

constexpr std::string_view kApp = "shadow";  // in the ledger

std::int64_t day_of(WallTime at) {
  return std::chrono::floor<std::chrono::days>(at.time_since_epoch()).count();
}

}  // namespace

Shadow::Shadow(asio::io_context& io, const Clock& clock, IdSource& ids, ShadowOptions options,
               const ModelSelector& selector, Engines& engines, Backends& backends,
               lane::Lanes& lanes, ledger::Ledger& ledger, learn::Outcomes& outcomes)
    : clock_(clock),
      ids_(ids),
      options_(std::move(options)),
      selector_(selector),
      engines_(engines),
      backends_(backends),
      lanes_(lanes),
      ledger_(ledger),
      outcomes_(outcomes),
      under_way_(io, "a comparison") {}

bool Shadow::picks(const RequestId& id) const {
  if (options_.share <= 0 || under_way_.stopping()) return false;
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (const char c : id.value) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  constexpr double kAll = 4294967296.0;
  return static_cast<double>((hash ^ (hash >> 29)) & 0xFFFFFFFFU) < options_.share * kAll;
}

bool Shadow::affordable() {
  const std::int64_t today = day_of(clock_.wall());
  if (today != day_) {
    day_ = today;
    spent_usd_ = 0;
    // What was spent before a restart is in the ledger.
    const WallTime midnight{std::chrono::days{today}};
    if (const Result<std::vector<ledger::DayCost>> costs = ledger_.costs(midnight)) {
      for (const ledger::DayCost& cost : *costs) {
        if (cost.app == kApp) spent_usd_ += cost.cost_usd;
      }
    }
  }
  return spent_usd_ < options_.usd_per_day;
}

void Shadow::compare(ShadowWork work) {
  const bool to_cloud = work.answered == chat::Lane::kLocal;
  const bool judged = !options_.judge.empty();
  if (under_way_.stopping() || under_way_.running() >= kMaxUnderWay) return;
  if (!selector_.cloud_available() || !engines_.default_available()) return;
  if ((to_cloud || judged) && !affordable()) return;
  under_way_.start(carry_out(std::move(work)));
}

asio::awaitable<Result<chat::ChatAnswer>> Shadow::ask(chat::Lane lane, std::string model,
                                                      const chat::ChatRequest& request,
                                                      const ShadowWork& work) {
  lane::Job job;
  job.lane = lane;
  job.app = kApp;
  Result<lane::Slot> slot = co_await lanes_.enter(std::move(job));
  if (!slot) co_return std::unexpected(std::move(slot.error()));
  ledger::Attempt attempt;
  attempt.lane = lane;
  attempt.backend = backends_.backend_name(lane, model);
  attempt.model = model;
  attempt.queued_ms = in_ms(slot->waited());
  CloudCall call;
  const SteadyTime began = clock_.steady();
  Result<chat::ChatAnswer> answer =
      co_await backends_.complete(lane, model, request, policy::Privacy::kAllow, call);
  if (!call.done.provider.empty()) attempt.backend = call.done.provider;
  attempt.duration_ms = in_ms(clock_.steady() - began);
  if (answer) {
    attempt.usage = answer->usage();
    attempt.cost_usd = backends_.cost_usd(lane, attempt.backend, model, answer->usage());
    spent_usd_ += attempt.cost_usd;
  } else {
    attempt.error = answer.error().message;
  }
  ledger::RequestRecord record;
  record.id = ids_.request();
  record.at = clock_.wall();
  record.app = kApp;
  record.trace = work.id.value;
  record.model_asked = model;
  record.privacy = policy::name(policy::Privacy::kAllow);
  record.decision.lane = lane;
  record.decision.model = std::move(model);
  record.decision.operation = work.operation;
  record.decision.reasons.push_back(
      {.layer = "shadow", .text = "to compare both lanes' answers to one request", .weight = 0});
  record.attempts.push_back(std::move(attempt));
  ledger_.record(std::move(record));
  co_return answer;
}

asio::awaitable<void> Shadow::carry_out(ShadowWork work) {
  const bool was_local = work.answered == chat::Lane::kLocal;
  const chat::Lane other = was_local ? chat::Lane::kCloud : chat::Lane::kLocal;
  chat::ChatRequest request = work.request;
  request.stream = false;
  request.logprobs = false;
  request.choices = 1;
  request.deadline = {};
  std::string model = selector_.default_model(other);
  Result<chat::ChatAnswer> answer = co_await ask(other, std::move(model), request, work);
  if (!answer) {
    log::debug("not compared: {}", answer.error().message);
    co_return;
  }
  const chat::ChatAnswer& local = was_local ? work.answer : *answer;
  const chat::ChatAnswer& cloud = was_local ? *answer : work.answer;
  check::Comparison comparison = check::compare_answers(local, cloud);
  route::OutcomeKind kind = route::OutcomeKind::kComparison;
  const bool worded = local.tool_calls().empty() && cloud.tool_calls().empty();
  if (!options_.judge.empty() && worded && !comparison.alike) {
    const chat::ChatRequest question = check::judge_request(request, local, cloud, options_.judge);
    std::string judge = options_.judge;
    Result<chat::ChatAnswer> said =
        co_await ask(chat::Lane::kCloud, std::move(judge), question, work);
    const Result<bool> verdict =
        said ? check::judge_verdict(*said) : Result<bool>(std::unexpected(said.error()));
    if (verdict) {
      kind = route::OutcomeKind::kJudge;
      comparison.alike = *verdict;
      comparison.how = fmt::format("{} says {}", options_.judge, *verdict ? "yes" : "no");
    }
  }
  outcomes_.compared(work.id, work.input, work.operation, kind, comparison.alike,
                     std::move(comparison.how));
}

}  // namespace minimill::serve
