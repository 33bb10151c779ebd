#pragma once

// What the database holds, and pruning it by hand.
//
//   GET  /minimill/v1/ledger         ?older_s=; bytes and rows by kind, and what would be pruned
//   POST /minimill/v1/ledger/prune   {"older_s": 2592000}, or {} for what [ledger] says; answers
//                                    when it is done

#include "api/routes.h"
#include "async/blocking_pool.h"
#include "base/clock.h"
#include "ledger/retention_runner.h"
#include "sqlite/database.h"

namespace minimill::api {

class LedgerApi {
 public:
  /// `reader` is used only on the offload thread.
  LedgerApi(const Clock& clock, ledger::RetentionRunner& retention, sqlite::Database reader,
            async::BlockingPool& offload)
      : clock_(clock), retention_(retention), reader_(std::move(reader)), offload_(offload) {}

  void add_to(Routes& routes);

 private:
  asio::awaitable<void> show(http::Request& request, http::Responder& out);
  asio::awaitable<void> prune(http::Request& request, http::Responder& out);

  const Clock& clock_;
  ledger::RetentionRunner& retention_;
  sqlite::Database reader_;
  async::BlockingPool& offload_;
};

}  // namespace minimill::api
