#include "serve/open_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "chat/token_estimate.h"
#include "protocol/http_status.h"
#include "serve/record.h"

namespace minimill::serve {
namespace {

/// What nginx logs for it, too: the client closed the connection before it was answered.
constexpr int kStatusClientGone = 499;

/// What a model wrote of an answer.
std::size_t bytes_of(const chat::ChatEvent& event) {
  if (const auto* text = std::get_if<chat::TextDelta>(&event)) return text->text.size();
  if (const auto* text = std::get_if<chat::ReasoningDelta>(&event)) return text->text.size();
  if (const auto* call = std::get_if<chat::ToolCallDelta>(&event)) {
    return call->name.size() + call->arguments.size();
  }
  return 0;
}

}  // namespace

OpenRequest::OpenRequest(const Clock& clock, const Backends& backends, const Observers& observers,
                         RequestId id, policy::Request request, Considered considered)
    : clock_(clock),
      backends_(backends),
      observers_(observers),
      request_(std::move(request)),
      considered_(std::move(considered)),
      record_(record_of(request_, std::move(id), clock.wall())),
      wants_logprobs_(request_.chat.logprobs),
      own_deadline_(request_.chat.deadline) {}

OpenRequest::~OpenRequest() {
  if (written_) return;
  if (attempting_) {
    record_.attempts.back().error = "the client went away";
    record_.attempts.back().duration_ms = attempt_ms();
    estimate_usage();  // whoever was asked reads the prompt, and is paid for that
    settle_call();
  }
  write(kStatusClientGone);
}

void OpenRequest::add_reason(chat::Reason reason) {
  std::vector<chat::Reason>& reasons = record_.decision.reasons;
  reasons.insert(reasons.begin(), std::move(reason));
}

chat::Lane OpenRequest::lane() const {
  return record_.attempts.empty() ? record_.decision.lane : record_.attempts.back().lane;
}

Observed OpenRequest::observed() const {
  return {.id = record_.id,
          .request = request_,
          .input = considered_.input,
          .decision = record_.decision,
          .lane = lane()};
}

void OpenRequest::decided(chat::Decision decision) {
  record_.decision = std::move(decision);
  observers_.decided(observed());
}

void OpenRequest::begin_attempt(std::string model, lane::Slot slot, policy::Budgets::Hold hold,
                                bool watched, std::chrono::milliseconds longest) {
  request_.chat.logprobs = watched || wants_logprobs_;
  const SteadyTime end = clock_.steady() + longest;
  request_.chat.deadline = own_deadline_ ? std::min(*own_deadline_, end) : end;
  fit_ = {};
  changed_.reset();
  mean_logprob_.reset();
  told_ = {};
  pieces_ = 0;
  bytes_ = 0;
  broke_off_ = false;
  call_ = {.model = model,
           .any_model = request_.choice.model.empty(),
           .operation = record_.decision.operation,
           .max_cost_usd = considered_.max_cost_usd};
  settled_ = false;
  slot_ = std::move(slot);
  slot_.set_end(lane::Scheduler::End::kCutShort);  // until there is an answer
  hold_ = std::move(hold);
  attempt_started_ = clock_.steady();
  attempting_ = true;
  ledger::Attempt& attempt = record_.attempts.emplace_back();
  attempt.lane = slot_.lane();
  attempt.backend = backends_[attempt.lane].name_of(model);
  attempt.model = std::move(model);
  attempt.queued_ms = in_ms(slot_.waited());
  observers_.began(observed(), attempt);
}

policy::Request& OpenRequest::outgoing() {
  if (!changed_) changed_ = request_;
  return *changed_;
}

double OpenRequest::attempt_ms() const { return in_ms(clock_.steady() - attempt_started_); }

void OpenRequest::settle_call() {
  if (std::exchange(settled_, true)) return;
  add_lost_attempts(record_, call_.done);
}

void OpenRequest::backend_answered() {
  if (settled_ || call_.done.provider.empty()) return;
  attempt_started_ = call_.done.began;
  if (Result<protocol::Fit> fit = backend().fit(request_.chat, call_)) fit_ = std::move(*fit);
  settle_call();
}

void OpenRequest::used(const chat::Usage& usage) {
  ledger::Attempt& attempt = record_.attempts.back();
  attempt.usage = usage;
  attempt.cost_usd = backend().cost_usd(attempt.backend, attempt.model, usage);
}

void OpenRequest::passed_on() {
  ledger::Attempt& attempt = record_.attempts.back();
  if (attempt.first_token_ms == 0) attempt.first_token_ms = attempt_ms();
}

void OpenRequest::came(const chat::ChatEvent& event) {
  if (const auto* report = std::get_if<chat::UsageReport>(&event)) {
    told_ = report->usage;
  } else if (const std::size_t bytes = bytes_of(event); bytes > 0) {
    ++pieces_;
    bytes_ += bytes;
    observers_.wrote(observed(), pieces_);
  }
}

void OpenRequest::estimate_usage() {
  if (record_.attempts.back().usage != chat::Usage{}) return;  // known
  chat::Usage usage = told_;
  if (usage.prompt_tokens == 0) {
    usage.prompt_tokens = chat::estimated_prompt_tokens(request_.chat);
    usage.estimated = true;
  }
  // A backend sends a token at a time, or several.
  const std::int64_t said = std::max(pieces_, chat::estimated_tokens(bytes_));
  if (said > usage.completion_tokens) {
    usage.completion_tokens = said;
    usage.estimated = true;
  }
  used(usage);
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
  const auto top = static_cast<std::size_t>(request_.chat.top_logprobs());
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
  request_.chat.deadline = own_deadline_;
  ledger::Attempt& attempt = record_.attempts.back();
  attempt.error = broke_off_ ? fmt::format("{} broke off ({})", attempt.backend, name(error.code))
                             : error.message;
  attempt.duration_ms = attempt_ms();
  if (broke_off_ || pieces_ > 0 || told_ != chat::Usage{}) estimate_usage();
  settle_call();
  slot_ = {};
  hold_ = {};
}

void OpenRequest::end_attempt(const chat::Usage& usage) {
  attempting_ = false;
  record_.attempts.back().duration_ms = attempt_ms();
  used(usage);
  slot_.set_end(lane::Scheduler::End::kWhole);
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
  if (!record_.attempts.empty() && lane() == chat::Lane::kLocal &&
      backends_[chat::Lane::kCloud].available()) {
    record_.cloud_usd =
        default_cost_usd(backends_[chat::Lane::kCloud], record_.attempts.back().usage);
  }
  observers_.ended(std::move(record_));
  hold_ = {};  // what it did cost counts now
}

Serving OpenRequest::serving() const {
  const ledger::Attempt& attempt = record_.attempts.back();
  // Another lane's; who else was asked in the same lane is no concern of the app's.
  std::size_t before = record_.attempts.size() - 1;
  while (before > 0 && record_.attempts[before - 1].lane == attempt.lane) --before;
  return {.id = record_.id,
          .decision = record_.decision,
          .lane = attempt.lane,
          .backend = attempt.backend,
          .model = attempt.model,
          .escalated = before > 0 ? record_.attempts[before - 1].error : std::string{},
          .queued_ms = attempt.queued_ms,
          .emulated = fit_.emulated,
          .left_out = fit_.left_out};
}

}  // namespace minimill::serve
