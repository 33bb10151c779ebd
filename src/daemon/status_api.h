#pragma once

// GET /healthz and GET /minimill/v1/status: is it up, and what is it doing?

#include "daemon/model_selector.h"
#include "daemon/offload.h"
#include "daemon/routes.h"
#include "lane/lanes.h"
#include "ledger/ledger.h"

namespace minimill::daemon {

class StatusApi {
 public:
  /// `ledger` is a reader of its own, used only on the offload thread.
  StatusApi(const Clock& clock, lane::Lanes& lanes, Engines& engines, ModelSelector& selector,
            ledger::Ledger& ledger, Offload& offload);

  void add_to(Routes& routes);

 private:
  asio::awaitable<void> status(http::Responder& out);

  WallTime started_;
  lane::Lanes& lanes_;
  Engines& engines_;
  ModelSelector& selector_;
  ledger::Ledger& ledger_;
  Offload& offload_;
};

}  // namespace minimill::daemon
