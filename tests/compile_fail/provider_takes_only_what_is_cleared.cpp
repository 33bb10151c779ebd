// Must not compile: a request that policy has not cleared cannot be passed to the cloud.
#include "cloud/provider.h"

void send(minimill::cloud::Provider& provider, const minimill::chat::ChatRequest& request) {
  minimill::cloud::Told told;
  (void)provider.complete(request, "model", told);
}
