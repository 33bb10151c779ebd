#pragma once

// Effects outside, seen and tried again.
//
//   GET  /minimill/v1/outbox                ?state= pending, delivered or dead; ?limit=
//   POST /minimill/v1/outbox/{id}/retry     one that is dead
//   POST /minimill/v1/outbox/retry          all that are dead

#include "base/clock.h"
#include "daemon/offload.h"
#include "daemon/outbox_runner.h"
#include "daemon/routes.h"
#include "lane/outbox.h"

namespace minimill::daemon {

class OutboxApi {
 public:
  /// `reader` is used only on the offload thread.
  OutboxApi(const Clock& clock, lane::Outbox& outbox, lane::Outbox& reader, Offload& offload,
            OutboxRunner& runner);

  void add_to(Routes& routes);

 private:
  asio::awaitable<void> list(http::Request& request, http::Responder& out);
  asio::awaitable<void> retry(http::Responder& out, std::string id);
  asio::awaitable<void> retry_all(http::Responder& out);

  const Clock& clock_;
  lane::Outbox& outbox_;
  lane::Outbox& reader_;
  Offload& offload_;
  OutboxRunner& runner_;
};

}  // namespace minimill::daemon
