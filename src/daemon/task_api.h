#pragma once

// minimill's own API for tasks, runs and decisions; the command line is its first client.
//
//   POST /minimill/v1/tasks                 one task, as in a tasks file; due now
//   GET  /minimill/v1/tasks                 ?run= &state= &limit= &offset=
//   GET  /minimill/v1/tasks/{id}            ?run=
//   POST /minimill/v1/tasks/{id}/cancel     ?run=
//   POST /minimill/v1/tasks/{id}/retry      ?run=; one that failed
//   POST /minimill/v1/tasks/retry           ?run=; all that failed
//   POST /minimill/v1/runs/{id}/tasks       {"name", "fingerprint", "settings", "tasks":
//   [{"due_ms", "task"}]};
//                                           id "new" makes a run
//   GET  /minimill/v1/runs                  ?fingerprint=: the unfinished run of that file
//   GET  /minimill/v1/runs/{id}             with how far it is
//   GET  /minimill/v1/runs/{id}/report      ?format=table: for a terminal
//   GET  /minimill/v1/why/{id}              a request's or task's decisions, explained; ?run=

// A submission with an Idempotency-Key is carried out once: sent again, it gets its first answer.

#include "base/ids.h"
#include "daemon/model_selector.h"
#include "daemon/notify_policy.h"
#include "daemon/offload.h"
#include "daemon/routes.h"
#include "daemon/task_runner.h"
#include "lane/lanes.h"
#include "lane/report.h"
#include "lane/task_store.h"
#include "ledger/ledger.h"

namespace minimill::daemon {

class TaskApi {
 public:
  /// `tasks` and `ledger` are readers of their own, used only on the offload thread.
  TaskApi(const Clock& clock, IdSource& ids, lane::TaskStore& store, lane::TaskStore& tasks,
          ledger::Ledger& ledger, Offload& offload, TaskRunner& runner, lane::Lanes& lanes,
          ModelSelector& selector, Engines& engines, const NotifyPolicy& notify_policy);

  void add_to(Routes& routes);

 private:
  asio::awaitable<void> add_task(http::Request& request, http::Responder& out);
  asio::awaitable<void> add_tasks(http::Request& request, http::Responder& out, std::string run);
  asio::awaitable<void> list_tasks(http::Request& request, http::Responder& out);
  asio::awaitable<void> show_task(http::Request& request, http::Responder& out, std::string id);
  asio::awaitable<void> cancel_task(http::Request& request, http::Responder& out, std::string id);
  asio::awaitable<void> retry_task(http::Request& request, http::Responder& out, std::string id);
  asio::awaitable<void> retry_all(http::Request& request, http::Responder& out);
  asio::awaitable<void> list_runs(http::Request& request, http::Responder& out);
  asio::awaitable<void> show_run(http::Responder& out, std::string id);
  asio::awaitable<void> report(http::Request& request, http::Responder& out, std::string id);
  asio::awaitable<void> why(http::Request& request, http::Responder& out, std::string id);

  /// Stores them, once per Idempotency-Key, and answers with `accepted` or as it did before.
  asio::awaitable<void> submit(const http::Request& request, const std::string& fingerprint,
                               lane::RunInfo run, std::vector<lane::Submission> tasks,
                               boost::json::object accepted, http::Responder& out);
  /// Runs `query` on the offload thread and answers with its value or error.
  asio::awaitable<void> answer(std::function<Result<boost::json::value>()> query,
                               http::Responder& out);
  Result<lane::Report> make_report(const std::string& id, int slots, std::string cloud,
                                   std::string local_model) const;
  Result<boost::json::value> explain(const std::string& id, const std::string& run) const;

  const Clock& clock_;
  IdSource& ids_;
  lane::TaskStore& store_;
  lane::TaskStore& tasks_;
  ledger::Ledger& ledger_;
  Offload& offload_;
  TaskRunner& runner_;
  lane::Lanes& lanes_;
  ModelSelector& selector_;
  Engines& engines_;
  const NotifyPolicy& notify_policy_;
};

}  // namespace minimill::daemon
