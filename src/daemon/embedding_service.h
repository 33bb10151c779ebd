#pragma once

// Vectors of texts, in whichever protocol they were asked for: on the device, unless the app names
// a cloud model or the cloud. They wait in their lane like everything else, and go into the ledger.

#include "daemon/access.h"
#include "daemon/backends.h"
#include "daemon/gateway.h"
#include "lane/lanes.h"
#include "protocol/embeddings.h"

namespace minimill::daemon {

struct Embedded {
  protocol::EmbeddingAnswer answer;
  Serving serving;
  double cost_usd = 0;
};

class EmbeddingService {
 public:
  EmbeddingService(const Clock& clock, IdSource& ids, ModelSelector& selector, Backends& backends,
                   lane::Lanes& lanes, ledger::Ledger& ledger, Access& access);

  asio::awaitable<Result<Embedded>> embed(const http::Request& request,
                                          protocol::EmbeddingRequest wanted);

 private:
  const Clock& clock_;
  IdSource& ids_;
  ModelSelector& selector_;
  Backends& backends_;
  lane::Lanes& lanes_;
  ledger::Ledger& ledger_;
  Access& access_;
};

}  // namespace minimill::daemon
