#include "serve/open_request.h"

#include <utility>

#include "protocol/http_status.h"

namespace minimill::serve {
namespace {

/// What nginx logs for it, too: the client closed the connection before it was answered.
constexpr int kStatusClientGone = 499;

}  // namespace

OpenRequest::OpenRequest(const Clock& clock, const Backends& backends, ledger::Ledger& ledger,
                         RequestId id, Ask ask)
    : clock_(clock),
      backends_(backends),
      ledger_(ledger),
      ask_(std::move(ask)),
      wants_logprobs_(ask_.request.logprobs) {
  record_.id = std::move(id);
  record_.at = clock.wall();
  record_.app = ask_.app;
  record_.trace = ask_.trace;
  record_.model_asked = ask_.request.model();
  record_.stream = ask_.request.stream;
  record_.privacy = policy::name(ask_.privacy);
}

OpenRequest::~OpenRequest() {
  if (written_) return;
  if (attempting_) {
    record_.attempts.back().error = "the client went away";
    record_.attempts.back().duration_ms = attempt_ms();
    settle_cloud();
  }
  write(kStatusClientGone);
}

void OpenRequest::add_reason(chat::Reason reason) {
  std::vector<chat::Reason>& reasons = record_.decision.reasons;
  reasons.insert(reasons.begin(), std::move(reason));
}

void OpenRequest::begin_attempt(chat::Lane lane, std::string model, lane::Slot slot,
                                policy::Budgets::Hold hold, bool watched) {
  ask_.request.logprobs = watched || wants_logprobs_;
  fit_ = {};
  mean_logprob_.reset();
  cloud_call_ = {};
  cloud_call_.operation = record_.decision.operation;
  cloud_call_.any_model = ask_.choice.model.empty();
  cloud_call_.max_cost_usd = ask_.max_cost_usd;
  cloud_settled_ = lane == chat::Lane::kLocal;
  slot_ = std::move(slot);
  hold_ = std::move(hold);
  attempt_started_ = clock_.steady();
  attempting_ = true;
  ledger::Attempt& attempt = record_.attempts.emplace_back();
  attempt.lane = lane;
  attempt.backend = backends_.backend_name(lane, model);
  attempt.model = std::move(model);
  attempt.queued_ms = in_ms(slot_.waited());
}

double OpenRequest::attempt_ms() const { return in_ms(clock_.steady() - attempt_started_); }

void OpenRequest::settle_cloud() {
  if (cloud_settled_) return;
  cloud_settled_ = true;
  add_cloud_attempts(record_, cloud_call_.done);
}

void OpenRequest::cloud_answered() {
  const cloud::Call& done = cloud_call_.done;
  if (cloud_settled_ || done.provider.empty()) return;
  attempt_started_ = done.began;
  if (Result<protocol::Fit> fit = backends_.fit_at(done.provider, ask_.request)) {
    fit_ = std::move(*fit);
  }
  settle_cloud();
}

void OpenRequest::first_token() {
  ledger::Attempt& attempt = record_.attempts.back();
  if (attempt.first_token_ms == 0) attempt.first_token_ms = attempt_ms();
}

void OpenRequest::held(std::size_t tokens, std::chrono::nanoseconds took, double mean_logprob,
                       double p) {
  mean_logprob_ = mean_logprob;
  ledger::Attempt& attempt = record_.attempts.back();
  attempt.held_tokens = static_cast<std::int64_t>(tokens);
  attempt.held_ms = in_ms(took);
  attempt.p_held = p;
}

void OpenRequest::trim_logprobs(chat::ChatEvent& event) const {
  auto* text = std::get_if<chat::TextDelta>(&event);
  if (text == nullptr || text->logprobs.empty()) return;
  if (!wants_logprobs_) text->logprobs.clear();
  const auto top = static_cast<std::size_t>(ask_.request.top_logprobs());
  for (chat::TokenLogprob& token : text->logprobs) {
    if (token.top.size() > top) token.top.resize(top);
  }
}

void OpenRequest::trim_logprobs(chat::ChatAnswer& answer) const {
  chat::ChatEvent event = chat::TextDelta{{}, answer.logprobs()};
  trim_logprobs(event);
  std::vector<chat::TokenLogprob>& trimmed = std::get<chat::TextDelta>(event).logprobs;
  if (trimmed == answer.logprobs()) return;
  answer.edit([&trimmed](chat::AnswerParts& parts) { parts.logprobs = std::move(trimmed); });
}

void OpenRequest::fail_attempt(const Error& error) {
  if (!attempting_) return;
  attempting_ = false;
  record_.attempts.back().error = error.message;
  record_.attempts.back().duration_ms = attempt_ms();
  settle_cloud();
  slot_ = {};
  hold_ = {};
}

void OpenRequest::end_attempt(const chat::Usage& usage) {
  attempting_ = false;
  ledger::Attempt& attempt = record_.attempts.back();
  attempt.duration_ms = attempt_ms();
  attempt.usage = usage;
  attempt.cost_usd = backends_.cost_usd(attempt.lane, attempt.backend, attempt.model, usage);
  slot_ = {};
}

void OpenRequest::close() {
  constexpr int kOk = 200;
  write(kOk);
}

void OpenRequest::close(const Error& error) {
  fail_attempt(error);
  write(protocol::http_status(error));
}

void OpenRequest::write(int status) {
  if (written_) return;
  written_ = true;
  record_.status = status;
  ledger_.record(std::move(record_));
}

learn::RecentAnswer OpenRequest::recent() const {
  learn::RecentAnswer recent;
  recent.input = input_;
  recent.operation = record_.decision.operation;
  recent.lane = record_.attempts.back().lane;
  recent.p_before = record_.decision.p_local_ok;
  recent.mean_logprob = mean_logprob_;
  return recent;
}

Serving OpenRequest::serving() const {
  const ledger::Attempt& attempt = record_.attempts.back();
  // Another lane's; who else was asked in the same lane is no concern of the app's.
  std::size_t before = record_.attempts.size() - 1;
  while (before > 0 && record_.attempts[before - 1].lane == attempt.lane) --before;
  return {.id = record_.id,
          .decision = record_.decision,
          .lane = attempt.lane,
          .model = attempt.model,
          .escalated = before > 0 ? record_.attempts[before - 1].error : std::string{},
          .queued_ms = attempt.queued_ms,
          .emulated = fit_.emulated,
          .left_out = fit_.left_out};
}

}  // namespace minimill::serve
