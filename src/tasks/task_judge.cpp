#include "tasks/task_judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include "base/log.h"
#include "check/check.h"
#include "route/confidence.h"
#include "serve/model_selector.h"
#include "serve/rung.h"

namespace minimill::tasks {
namespace {

constexpr BackoffRange kBackoff{.first = Millis{500}, .longest = Millis{60'000}};

}  // namespace

std::string asks_as(const Task& task) {
  constexpr const char* kOwnersTasks = "tasks";
  return task.app.empty() ? kOwnersTasks : task.app;
}

TaskJudge::TaskJudge(const Clock& clock, IdSource& ids, Random& random, TaskOptions options,
                     learn::Outcomes& outcomes, policy::Admission& admission,
                     const serve::Decider& decider, const serve::Backends& backends)
    : clock_(clock),
      ids_(ids),
      options_(options),
      outcomes_(outcomes),
      admission_(admission),
      decider_(decider),
      backends_(backends),
      backoff_(random, kBackoff) {}

policy::Request TaskJudge::request(const Task& task, chat::Lane lane) const {
  const bool local = lane == chat::Lane::kLocal;
  chat::RequestParts parts;
  parts.model = serve::kAuto;
  parts.messages.push_back(chat::text_message(chat::Role::kUser, task.prompt()));
  parts.sampling.temperature = 0;  // the same task gets the same answer
  parts.sampling.max_tokens =
      local ? std::min(options_.max_tokens, options_.max_local_tokens) : options_.max_tokens;
  chat::ChatRequest chat(std::move(parts));
  chat.logprobs = local && !task.spec.check.is_null();  // how sure it was, beside how right
  policy::Request request =
      admission_.own(asks_as(task), chat::Origin::kTask, std::move(chat), task.privacy());
  request.choice.lane = admission_.lane_of(task.app);
  if (task.escalated) request.choice.lane = chat::Lane::kCloud;
  request.task = task.spec.id;
  request.run = task.run;
  request.title = task.spec.title;
  request.verifiable = !task.spec.check.is_null();
  return request;
}

std::optional<SteadyTime> TaskJudge::due(const Task& task) const {
  if (!task.spec.deadline_s) return std::nullopt;
  const auto after = std::chrono::duration<double>(*task.spec.deadline_s);
  const WallTime deadline = task.due + std::chrono::duration_cast<Millis>(after);
  return clock_.steady() + (deadline - clock_.wall());
}

void TaskJudge::begin(Task& task, const chat::Decision& decision, chat::Lane lane) {
  task.request = ids_.request();
  task.operation = decision.operation;
  task.model = backends_[lane].default_model();
}

void TaskJudge::answered(Task& task, chat::Lane lane, const serve::Served& served,
                         double p_before) {
  const chat::ChatAnswer& answer = served.answers.front();
  task.model = served.serving.model;
  task.prompt_tokens += answer.usage().prompt_tokens;
  task.completion_tokens += answer.usage().completion_tokens;
  task.cost_usd += served.cost_usd;
  task.all_cloud_cost_usd = serve::default_cost_usd(backends_[chat::Lane::kCloud], answer.usage());
  judge(task, lane, answer);
  if (lane == chat::Lane::kCloud && task.cloud_passed) {
    serve::Call call;
    call.model = task.model;
    call.operation = task.operation;
    call.done.provider = served.serving.backend;
    call.done.model = task.model;
    backends_[lane].judged(call, *task.cloud_passed);
  }
  if (lane == chat::Lane::kLocal && !answer.logprobs().empty() && task.local_passed) {
    const std::span<const chat::TokenLogprob> first(
        answer.logprobs().data(), std::min(answer.logprobs().size(), serve::kWatchedTokens));
    outcomes_.confidence(p_before, route::mean_logprob(first), *task.local_passed);
  }
}

void TaskJudge::judge(Task& task, chat::Lane lane, const chat::ChatAnswer& answer) {
  task.answer = answer.text();
  task.error.clear();
  task.state = TaskState::kDone;
  task.finished = clock_.wall();
  if (task.spec.check.is_null()) {
    tell_rung(task, lane, answer, nullptr);
    return;
  }
  const Result<check::Check> check = check::Check::parse(task.spec.check);
  const check::Verdict verdict =
      check ? check->run(answer.text())
            : check::Verdict{.passed = false, .why = check.error().to_string()};
  (lane == chat::Lane::kLocal ? task.local_passed : task.cloud_passed) = verdict.passed;
  if (lane == chat::Lane::kLocal && task.model == serve::kMicroModel) {
    outcomes_.rung(task.request, route::OutcomeKind::kCheck, verdict.passed, verdict.why);
  } else {
    const auto judged =
        lane == chat::Lane::kLocal ? &learn::Outcomes::local : &learn::Outcomes::cloud;
    (outcomes_.*judged)(task.request, decider_.consider(request(task, lane)).input, task.operation,
                        route::OutcomeKind::kCheck, verdict.passed, verdict.why);
  }
  tell_rung(task, lane, answer, check ? &*check : nullptr);
  if (verdict.passed) return;
  task.error = "check failed: " + verdict.why;
  if (lane == chat::Lane::kLocal && may_escalate(task)) {
    outcomes_.escalated(task.request, verdict.why);
    escalate(task, task.error);
  }
}

void TaskJudge::tell_rung(const Task& task, chat::Lane lane, const chat::ChatAnswer& answer,
                          const check::Check* check) const {
  if (decider_.rung() == nullptr) return;
  const policy::Request asked = request(task, lane);
  const route::RouteInput input = route::route_input(asked.chat);
  serve::CheckedAnswer checked{.id = task.request,
                               .request = asked,
                               .input = input,
                               .operation = task.operation,
                               .model = task.model,
                               .lane = lane,
                               .answer = answer.text(),
                               .cost_usd = task.cost_usd,
                               .passed = {},
                               .check = {}};
  if (check != nullptr) {
    checked.passed = lane == chat::Lane::kLocal ? task.local_passed : task.cloud_passed;
    checked.check = [check](std::string_view other) { return check->run(other).passed; };
  }
  decider_.rung()->checked(checked);
}

bool TaskJudge::may_escalate(const Task& task) const {
  return !task.escalated && policy::may_leave(task.privacy()).has_value() &&
         !admission_.lane_of(task.app) && backends_[chat::Lane::kCloud].available();
}

void TaskJudge::escalate(Task& task, std::string why) {
  task.escalated = true;
  task.state = TaskState::kQueued;
  task.lane = chat::Lane::kCloud;
  task.finished.reset();
  task.error = std::move(why);
  task.failure = TaskFailure{.at = clock_.wall(),
                             .attempt = task.attempts,
                             .lane = chat::Lane::kLocal,
                             .error = task.error};
}

bool TaskJudge::may_degrade(const Task& task, const Error& from_cloud) const {
  const bool out_of_reach =
      from_cloud.code == ErrorCode::kUnavailable || from_cloud.code == ErrorCode::kTimeout;
  return out_of_reach && task.attempts > 1 && !task.escalated && options_.accept_degraded &&
         !admission_.lane_of(task.app) && backends_[chat::Lane::kLocal].available();
}

void TaskJudge::plan_retry(Task& task, const Error& error) {
  const std::string local_reason = task.escalated ? task.error : "";
  task.error = error.to_string();
  task.failure = TaskFailure{
      .at = clock_.wall(), .attempt = task.attempts, .lane = task.lane, .error = task.error};
  // What is not there now, or went wrong inside, may be mended meanwhile; what was refused was not.
  const bool may_mend = is_transient(error.code) || error.code == ErrorCode::kNotFound ||
                        error.code == ErrorCode::kInternal || error.code == ErrorCode::kConflict ||
                        error.code == ErrorCode::kCancelled || error.code == ErrorCode::kCorrupt;
  if (!may_mend || task.attempts >= options_.max_attempts) {
    const bool too_long =
        error.code == ErrorCode::kContextExceeded || error.code == ErrorCode::kTooLarge;
    if (too_long && !local_reason.empty()) {
      task.error = fmt::format("on the device: {}; in the cloud: {}", local_reason, task.error);
    }
    task.state = TaskState::kFailed;
    task.finished = clock_.wall();
    // The error's words are the task's own: a provider's may repeat its text.
    log::warn("task {} failed after {} attempts: {}", task.spec.id.value, task.attempts,
              name(error.code));
    return;
  }
  task.state = TaskState::kQueued;
  task.not_before = clock_.wall() + error.retry_after.value_or(backoff_.after(task.attempts));
}

}  // namespace minimill::tasks
