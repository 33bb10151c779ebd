#pragma once

// What a task asks for, and what an answer makes of it: its checks are run, the router learns from
// them, and a task that failed on the device goes on to the cloud, once. The same for an answer of
// the ordinary lanes and one that came through a batch. Event-loop thread only.

#include <string>

#include "base/clock.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"
#include "config/config.h"
#include "learn/outcomes.h"
#include "ledger/ledger.h"
#include "route/route_input.h"
#include "serve/engines.h"
#include "serve/model_selector.h"
#include "serve/spending.h"
#include "tasks/task.h"

namespace minimill::tasks {

inline constexpr const char* kTasksApp = "tasks";  // who asks, in the ledger

class TaskJudge {
 public:
  TaskJudge(const Clock& clock, const config::Config& config, learn::Outcomes& outcomes,
            const serve::ModelSelector& selector, serve::Engines& engines,
            serve::Spending& spending, ledger::Ledger& ledger);

  route::RouteInput route_input(const tasks::Task& task);
  chat::ChatRequest chat_request(const tasks::Task& task, chat::Lane lane) const;

  /// The task is done, or queued for the cloud where its check failed on the device.
  void judge(tasks::Task& task, chat::Lane lane, const chat::ChatAnswer& answer);
  bool may_escalate(const tasks::Task& task) const;
  void escalate(tasks::Task& task, std::string why);

 private:
  void note(const RequestId& request, std::string kind, bool ok, std::string detail);

  const Clock& clock_;
  const config::Config& config_;
  learn::Outcomes& outcomes_;
  const serve::ModelSelector& selector_;
  serve::Engines& engines_;
  serve::Spending& spending_;
  ledger::Ledger& ledger_;
};

}  // namespace minimill::tasks
