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

// An app sees and changes its own; the machine's owner sees all. What an app submits is admitted
// as its chats are (Access), and carried out within what it may.
//
// A submission with an Idempotency-Key is carried out once: sent again, it gets its first answer.

#include "api/access.h"
#include "api/routes.h"
#include "async/blocking_pool.h"
#include "base/ids.h"
#include "lane/lanes.h"
#include "ledger/ledger.h"
#include "policy/notify_policy.h"
#include "replay/report.h"
#include "serve/model_selector.h"
#include "tasks/task_runner.h"
#include "tasks/task_store.h"

namespace minimill::api {

class TaskApi {
 public:
  /// `tasks` and `ledger` are readers of their own, used only on the offload thread.
  TaskApi(const Clock& clock, IdSource& ids, tasks::TaskStore& store, tasks::TaskStore& tasks,
          ledger::Ledger& ledger, async::BlockingPool& offload, tasks::TaskRunner& runner,
          lane::Lanes& lanes, serve::ModelSelector& selector, serve::Engines& engines,
          const policy::NotifyPolicy& notify_policy, Access& access);

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
  asio::awaitable<void> show_run(http::Request& request, http::Responder& out, std::string id);
  asio::awaitable<void> report(http::Request& request, http::Responder& out, std::string id);
  asio::awaitable<void> why(http::Request& request, http::Responder& out, std::string id);

  /// Stores them, once per Idempotency-Key, and answers with `accepted` or as it did before.
  asio::awaitable<void> submit(const http::Request& request, const std::string& fingerprint,
                               tasks::RunInfo run, std::vector<tasks::Submission> tasks,
                               boost::json::object accepted, http::Responder& out);
  /// Runs `query` on the offload thread and answers with its value or error.
  asio::awaitable<void> answer(std::function<Result<boost::json::value>()> query,
                               http::Responder& out);
  /// The run of a task of whoever asks; kNotFound where there is none of theirs.
  Result<RunId> run_of(const http::Request& request, const std::string& id);
  Result<replay::Report> make_report(const std::string& id, const policy::Scope& scope, int slots,
                                     std::string cloud, std::string local_model) const;
  Result<boost::json::value> explain(const std::string& id, const std::string& run,
                                     const policy::Scope& scope) const;

  const Clock& clock_;
  IdSource& ids_;
  tasks::TaskStore& store_;
  tasks::TaskStore& tasks_;
  ledger::Ledger& ledger_;
  async::BlockingPool& offload_;
  tasks::TaskRunner& runner_;
  lane::Lanes& lanes_;
  serve::ModelSelector& selector_;
  serve::Engines& engines_;
  const policy::NotifyPolicy& notify_policy_;
  Access& access_;
};

}  // namespace minimill::api
