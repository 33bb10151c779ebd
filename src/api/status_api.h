#pragma once

// GET /healthz and GET /minimill/v1/status: is it up, and what is it doing?

#include "api/routes.h"
#include "async/blocking_pool.h"
#include "lane/lanes.h"
#include "ledger/ledger.h"
#include "serve/model_selector.h"

namespace minimill::api {

class StatusApi {
 public:
  /// `ledger` is a reader of its own, used only on the offload thread.
  StatusApi(const Clock& clock, lane::Lanes& lanes, serve::Engines& engines,
            serve::ModelSelector& selector, ledger::Ledger& ledger, async::BlockingPool& offload);

  void add_to(Routes& routes);

 private:
  asio::awaitable<void> status(http::Responder& out);

  WallTime started_;
  ledger::Totals before_;  // of the day on which it was started, until then
  lane::Lanes& lanes_;
  serve::Engines& engines_;
  serve::ModelSelector& selector_;
  ledger::Ledger& ledger_;
  async::BlockingPool& offload_;
};

}  // namespace minimill::api
