#pragma once

// What a task asks for, and what an answer or a failure makes of it: its checks are run, the router
// learns from them, a task that failed on the device goes on to the cloud, once, and what failed
// for now is tried again later. The same for an answer of the ordinary lanes and one that came
// through a batch. Event-loop thread only.

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/ids.h"
#include "base/random.h"
#include "base/retry.h"
#include "check/check.h"
#include "learn/outcomes.h"
#include "policy/admission.h"
#include "serve/backend.h"
#include "serve/decider.h"
#include "serve/service.h"
#include "tasks/task.h"

namespace minimill::tasks {

/// Who asks, in the ledger and its budgets: the task's app, or "tasks" for the owner's.
std::string asks_as(const tasks::Task& task);

struct TaskOptions {
  std::int64_t max_tokens = 1024;        // of an answer
  std::int64_t max_local_tokens = 1024;  // of the device's
  int max_attempts = 8;
  std::chrono::seconds lease{600};
  bool accept_degraded = true;  // rather the device's answer than none while the cloud is away
};

class TaskJudge {
 public:
  TaskJudge(const Clock& clock, IdSource& ids, Random& random, TaskOptions options,
            learn::Outcomes& outcomes, policy::Admission& admission, const serve::Decider& decider,
            const serve::Backends& backends);

  const TaskOptions& options() const { return options_; }
  /// As it would be asked in that lane.
  policy::Request request(const Task& task, chat::Lane lane) const;
  /// When it is to have ended, by its own deadline.
  std::optional<SteadyTime> due(const Task& task) const;
  /// An attempt begins: the task gets the id of a new request.
  void begin(Task& task, const chat::Decision& decision, chat::Lane lane);

  /// The task is done, or queued for the cloud where its check failed on the device. `asked`: with
  /// what chance of success.
  void answered(Task& task, chat::Lane lane, const serve::Served& served, double p_before);
  /// The same of an answer alone, whose tokens and cost are counted already.
  void judge(Task& task, chat::Lane lane, const chat::ChatAnswer& answer);
  bool may_escalate(const Task& task) const;
  void escalate(Task& task, std::string why);
  /// The device may do what the cloud, out of reach, does not: only once that is more than a
  /// moment's trouble, and not for what the device has failed at.
  bool may_degrade(const Task& task, const Error& from_cloud) const;
  /// Queued for later, or failed for good.
  void plan_retry(Task& task, const Error& error);

  /// What holds for the owner's tasks that say nothing.
  policy::Privacy default_privacy() const { return admission_.privacy_of({}); }
  /// Grows with every change of keys, limits and budgets.
  std::uint64_t policy_changes() { return admission_.refresh(); }

 private:
  /// What is learnt from answers is learnt from this one, too. `check`: the task's, or null.
  void tell_rung(const Task& task, chat::Lane lane, const chat::ChatAnswer& answer,
                 const check::Check* check) const;

  const Clock& clock_;
  IdSource& ids_;
  TaskOptions options_;
  learn::Outcomes& outcomes_;
  policy::Admission& admission_;
  const serve::Decider& decider_;
  const serve::Backends& backends_;
  Backoff backoff_;
};

}  // namespace minimill::tasks
