#pragma once

// What a task asks for, and what an answer makes of it: its checks are run, the router learns from
// them, and a task that failed on the device goes on to the cloud, once. The same for an answer of
// the ordinary lanes and one that came through a batch. Event-loop thread only.

#include <optional>
#include <string>

#include "base/clock.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"
#include "config/config.h"
#include "learn/outcomes.h"
#include "ledger/ledger.h"
#include "policy/app_store.h"
#include "route/route_input.h"
#include "serve/engines.h"
#include "serve/model_selector.h"
#include "serve/spending.h"
#include "tasks/task.h"

namespace minimill::tasks {

/// Who asks, in the ledger and its budgets: the task's app, or "tasks" for the owner's.
std::string asks_as(const tasks::Task& task);

class TaskJudge {
 public:
  TaskJudge(const Clock& clock, const config::Config& config, learn::Outcomes& outcomes,
            const serve::ModelSelector& selector, serve::Engines& engines,
            serve::Spending& spending, ledger::Ledger& ledger, const policy::AppStore& apps);

  route::RouteInput route_input(const tasks::Task& task);
  chat::ChatRequest chat_request(const tasks::Task& task, chat::Lane lane) const;

  /// The task is done, or queued for the cloud where its check failed on the device.
  void judge(tasks::Task& task, chat::Lane lane, const chat::ChatAnswer& answer);
  bool may_escalate(const tasks::Task& task) const;
  void escalate(tasks::Task& task, std::string why);

 private:
  /// The only lane its app may use; nullopt: either.
  std::optional<chat::Lane> lane_of(const tasks::Task& task) const;
  void note(const RequestId& request, std::string kind, bool ok, std::string detail);

  const Clock& clock_;
  const config::Config& config_;
  learn::Outcomes& outcomes_;
  const serve::ModelSelector& selector_;
  serve::Engines& engines_;
  serve::Spending& spending_;
  ledger::Ledger& ledger_;
  const policy::AppStore& apps_;
};

}  // namespace minimill::tasks
