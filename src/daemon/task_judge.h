#pragma once

// What a task asks for, and what an answer makes of it: its checks are run, the router learns from
// them, and a task that failed on the device goes on to the cloud, once. The same for an answer of
// the ordinary lanes and one that came through a batch. Event-loop thread only.

#include <string>

#include "base/clock.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"
#include "daemon/config.h"
#include "daemon/engines.h"
#include "daemon/model_selector.h"
#include "daemon/outcomes.h"
#include "daemon/spending.h"
#include "lane/task.h"
#include "ledger/ledger.h"
#include "route/route_input.h"

namespace minimill::daemon {

inline constexpr const char* kTasksApp = "tasks";  // who asks, in the ledger

class TaskJudge {
 public:
  TaskJudge(const Clock& clock, const Config& config, Outcomes& outcomes,
            const ModelSelector& selector, Engines& engines, Spending& spending,
            ledger::Ledger& ledger);

  route::RouteInput route_input(const lane::Task& task);
  chat::ChatRequest chat_request(const lane::Task& task, route::Lane lane) const;

  /// The task is done, or queued for the cloud where its check failed on the device.
  void judge(lane::Task& task, route::Lane lane, const chat::ChatAnswer& answer);
  bool may_escalate(const lane::Task& task) const;
  void escalate(lane::Task& task, std::string why);

 private:
  void note(const RequestId& request, std::string kind, bool ok, std::string detail);

  const Clock& clock_;
  const Config& config_;
  Outcomes& outcomes_;
  const ModelSelector& selector_;
  Engines& engines_;
  Spending& spending_;
  ledger::Ledger& ledger_;
};

}  // namespace minimill::daemon
