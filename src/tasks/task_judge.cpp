#include "tasks/task_judge.h"

#include <algorithm>
#include <utility>

#include "check/check.h"

namespace minimill::tasks {

TaskJudge::TaskJudge(const Clock& clock, const config::Config& config, learn::Outcomes& outcomes,
                     const serve::ModelSelector& selector, serve::Engines& engines,
                     serve::Spending& spending, ledger::Ledger& ledger,
                     const policy::AppStore& apps)
    : clock_(clock),
      config_(config),
      outcomes_(outcomes),
      selector_(selector),
      engines_(engines),
      spending_(spending),
      ledger_(ledger),
      apps_(apps) {}

std::string asks_as(const tasks::Task& task) {
  constexpr const char* kOwnersTasks = "tasks";
  return task.app.empty() ? kOwnersTasks : task.app;
}

std::optional<chat::Lane> TaskJudge::lane_of(const tasks::Task& task) const {
  const policy::App* app = task.app.empty() ? nullptr : apps_.named(task.app);
  return app == nullptr ? std::nullopt : app->lane;
}

void TaskJudge::judge(tasks::Task& task, chat::Lane lane, const chat::ChatAnswer& answer) {
  task.answer = answer.text();
  task.error.clear();
  task.state = tasks::TaskState::kDone;
  task.finished = clock_.wall();
  if (task.spec.check.is_null()) return;

  const Result<check::Check> check = check::Check::parse(task.spec.check);
  const check::Verdict verdict =
      check ? check->run(answer.text())
            : check::Verdict{.passed = false, .why = check.error().to_string()};
  (lane == chat::Lane::kLocal ? task.local_passed : task.cloud_passed) = verdict.passed;
  const auto judged =
      lane == chat::Lane::kLocal ? &learn::Outcomes::local : &learn::Outcomes::cloud;
  (outcomes_.*judged)(task.request, route_input(task), task.operation, route::OutcomeKind::kCheck,
                      verdict.passed, verdict.why);
  if (verdict.passed) return;
  task.error = "check failed: " + verdict.why;
  if (lane == chat::Lane::kLocal && may_escalate(task)) {
    note(task.request, "escalated", false, verdict.why);
    escalate(task, task.error);
  }
}

bool TaskJudge::may_escalate(const tasks::Task& task) const {
  return !task.escalated && task.privacy() == policy::Privacy::kAllow && !lane_of(task) &&
         selector_.cloud_available();
}

void TaskJudge::escalate(tasks::Task& task, std::string why) {
  task.escalated = true;
  task.state = tasks::TaskState::kQueued;
  task.lane = chat::Lane::kCloud;
  task.finished.reset();
  task.error = std::move(why);
  task.failure = tasks::TaskFailure{.at = clock_.wall(),
                                    .attempt = task.attempts,
                                    .lane = chat::Lane::kLocal,
                                    .error = task.error};
}

void TaskJudge::note(const RequestId& request, std::string kind, bool ok, std::string detail) {
  ledger_.record(ledger::Outcome{.request = request,
                                 .at = clock_.wall(),
                                 .kind = std::move(kind),
                                 .ok = ok,
                                 .detail = std::move(detail)});
}

route::RouteInput TaskJudge::route_input(const tasks::Task& task) {
  route::RouteInput input;
  input.title = task.spec.title;
  input.text = task.prompt();
  input.app = asks_as(task);
  input.model = engines_.default_model();
  input.verifiable = !task.spec.check.is_null();
  input.privacy = task.privacy();
  input.forced = lane_of(task);
  if (task.escalated) input.forced = chat::Lane::kCloud;
  input.local_available = engines_.default_available();
  input.cloud_available = selector_.cloud_available();
  input.local_context_tokens = engines_.context_tokens();
  input.accepts_degraded = config_.lanes.accept_degraded;
  (void)spending_.weigh(input);
  return input;
}

chat::ChatRequest TaskJudge::chat_request(const tasks::Task& task, chat::Lane lane) const {
  chat::RequestParts parts;
  parts.model = serve::kAuto;
  parts.messages.push_back(chat::text_message(chat::Role::kUser, task.prompt()));
  parts.sampling.temperature = 0;  // the same task gets the same answer
  parts.sampling.max_tokens = lane == chat::Lane::kLocal ? std::min(config_.tasks.max_tokens,
                                                                    config_.local.max_answer_tokens)
                                                         : config_.tasks.max_tokens;
  return chat::ChatRequest(std::move(parts));
}

}  // namespace minimill::tasks
