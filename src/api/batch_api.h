#pragma once

// The batches of tasks at providers, shown and cancelled: an app's own, or all for the owner.
//
//   GET  /minimill/v1/batches               ?limit=; newest first, and how many tasks are gathered
//   GET  /minimill/v1/batches/{id}          with its tasks
//   POST /minimill/v1/batches/{id}/cancel   what is answered by then is used; the rest is done
//                                           in the ordinary lanes

#include <string>

#include "api/routes.h"
#include "async/blocking_pool.h"
#include "tasks/batch_runner.h"
#include "tasks/batch_store.h"

namespace minimill::api {

class BatchApi {
 public:
  /// `store` is a reader of its own, used only on the offload thread.
  BatchApi(tasks::BatchRunner& runner, tasks::BatchStore& store, async::BlockingPool& offload)
      : runner_(runner), store_(store), offload_(offload) {}

  void add_to(Routes& routes);

 private:
  asio::awaitable<void> list(http::Request& request, http::Responder& out);
  asio::awaitable<void> show(http::Request& request, http::Responder& out, std::string id);
  asio::awaitable<void> cancel(http::Request& request, http::Responder& out, std::string id);
  Result<boost::json::value> find(const std::string& id, const policy::Scope& scope) const;

  tasks::BatchRunner& runner_;
  tasks::BatchStore& store_;
  async::BlockingPool& offload_;
};

}  // namespace minimill::api
