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

Shadow::Shadow(asio::io_context& io, const Clock& clock, ShadowOptions options, Service& service,
               const policy::Admission& admission, const Backends& backends, ledger::Ledger& ledger,
               learn::Outcomes& outcomes, Rung* rung)
    : clock_(clock),
      options_(std::move(options)),
      service_(service),
      admission_(admission),
      backends_(backends),
      ledger_(ledger),
      outcomes_(outcomes),
      rung_(rung),
      under_way_(io, "a comparison") {}

bool Shadow::picks(const Observed& request) const {
  const RequestId& id = request.id;
  double share = options_.share;
  if (rung_ != nullptr && is_rung(request.decision)) {
    share = rung_->audit_share(request.request.app, request.decision.operation);
  }
  if (share <= 0) return false;
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (const char c : id.value) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  constexpr double kAll = 4294967296.0;
  return static_cast<double>((hash ^ (hash >> 29)) & 0xFFFFFFFFU) < share * kAll;
}

bool Shadow::wants_content(const Observed& request) const {
  if (under_way_.stopping()) return false;
  const policy::Request& asked = request.request;
  return asked.origin == chat::Origin::kApp && !asked.choice.lane &&
         policy::may_leave(asked.privacy) && asked.chat.choices == 1 && picks(request);
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

void Shadow::ended(const ledger::RequestRecord& record) {
  if (record.origin != chat::Origin::kShadow) return;
  // All that it cost, attempts that gave no answer among them.
  for (const ledger::Attempt& attempt : record.attempts) spent_usd_ += attempt.cost_usd;
}

void Shadow::answered(const Observed& request, const chat::ChatAnswer& answer,
                      std::optional<double> /*mean_logprob*/) {
  if (!wants_content(request) || (answer.text().empty() && answer.tool_calls().empty())) return;
  const bool to_cloud = request.lane == chat::Lane::kLocal;
  const bool judged = !options_.judge.empty();
  if (under_way_.running() >= kMaxUnderWay) return;
  if (!backends_[lane::other(request.lane)].available()) return;
  if ((to_cloud || judged) && !affordable()) return;
  Comparison work{.id = request.id,
                  .request = request.request,
                  .input = request.input,
                  .operation = request.decision.operation,
                  .rung = is_rung(request.decision),
                  .answered = request.lane,
                  .answer = answer};
  under_way_.start(carry_out(std::move(work)));
}

asio::awaitable<Result<chat::ChatAnswer>> Shadow::ask(chat::Lane lane, std::string model,
                                                      chat::ChatRequest chat,
                                                      const Comparison& work) {
  chat.stream = false;
  chat.logprobs = false;
  chat.choices = 1;
  chat.deadline = {};
  policy::Request request =
      admission_.own(kApp, chat::Origin::kShadow, std::move(chat), work.request.privacy);
  request.choice = {.lane = lane, .model = std::move(model), .quality = {}};
  request.parent = work.id;
  Result<Served> served = co_await service_.complete(std::move(request));
  if (!served) co_return std::unexpected(std::move(served.error()));
  co_return std::move(served->answers.front());
}

asio::awaitable<void> Shadow::carry_out(Comparison work) {
  const bool was_local = work.answered == chat::Lane::kLocal;
  std::string default_model;
  Result<chat::ChatAnswer> answer =
      co_await ask(lane::other(work.answered), std::move(default_model), work.request.chat, work);
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
    chat::ChatRequest question =
        check::judge_request(work.request.chat, local, cloud, options_.judge);
    std::string judge = options_.judge;
    Result<chat::ChatAnswer> said =
        co_await ask(chat::Lane::kCloud, std::move(judge), std::move(question), work);
    const Result<bool> verdict =
        said ? check::judge_verdict(*said) : Result<bool>(std::unexpected(said.error()));
    if (verdict) {
      kind = route::OutcomeKind::kJudge;
      comparison.alike = *verdict;
      comparison.how = fmt::format("{} says {}", options_.judge, *verdict ? "yes" : "no");
    }
  }
  if (work.rung) {
    rung_->audited(work.request.app, work.operation, comparison.alike);
    outcomes_.rung(work.id, kind, comparison.alike, std::move(comparison.how));
    co_return;
  }
  outcomes_.compared(work.id, work.input, work.operation, kind, comparison.alike,
                     std::move(comparison.how));
}

}  // namespace minimill::serve
