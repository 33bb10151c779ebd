#pragma once

// Vectors of texts, in whichever protocol they were asked for: on the device, unless the app names
// a cloud model or the cloud. They wait in their lane like everything else, and go into the ledger.

#include "api/access.h"
#include "lane/lanes.h"
#include "protocol/embeddings.h"
#include "serve/backends.h"
#include "serve/gateway.h"

namespace minimill::api {

namespace asio = boost::asio;

struct Embedded {
  protocol::EmbeddingAnswer answer;
  serve::Serving serving;
  double cost_usd = 0;
};

class EmbeddingService {
 public:
  EmbeddingService(const Clock& clock, IdSource& ids, serve::ModelSelector& selector,
                   serve::Backends& backends, lane::Lanes& lanes, ledger::Ledger& ledger,
                   Access& access);

  asio::awaitable<Result<Embedded>> embed(const http::Request& request,
                                          protocol::EmbeddingRequest wanted);

 private:
  const Clock& clock_;
  IdSource& ids_;
  serve::ModelSelector& selector_;
  serve::Backends& backends_;
  lane::Lanes& lanes_;
  ledger::Ledger& ledger_;
  Access& access_;
};

}  // namespace minimill::api
