#pragma once

// Effects outside, seen and tried again.
//
//   GET  /minimill/v1/outbox                ?state= pending, delivered or dead; ?limit=
//   POST /minimill/v1/outbox/{id}/retry     one that is dead
//   POST /minimill/v1/outbox/retry          all that are dead

#include "api/routes.h"
#include "async/blocking_pool.h"
#include "base/clock.h"
#include "tasks/outbox.h"
#include "tasks/outbox_runner.h"

namespace minimill::api {

class OutboxApi {
 public:
  /// `reader` is used only on the offload thread.
  OutboxApi(const Clock& clock, tasks::Outbox& outbox, tasks::Outbox& reader,
            async::BlockingPool& offload, tasks::OutboxRunner& runner);

  void add_to(Routes& routes);

 private:
  asio::awaitable<void> list(http::Request& request, http::Responder& out);
  asio::awaitable<void> retry(http::Request& request, http::Responder& out, std::string id);
  asio::awaitable<void> retry_all(http::Request& request, http::Responder& out);

  const Clock& clock_;
  tasks::Outbox& outbox_;
  tasks::Outbox& reader_;
  async::BlockingPool& offload_;
  tasks::OutboxRunner& runner_;
};

}  // namespace minimill::api
