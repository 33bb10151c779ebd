// Must not compile: a request that policy has not cleared cannot be raced between providers.
#include "cloud/pool.h"

void send(minimill::cloud::Pool& pool, const minimill::chat::ChatRequest& request) {
  minimill::cloud::Call call;
  (void)pool.complete(request, call);
}
