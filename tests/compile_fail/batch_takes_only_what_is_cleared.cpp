// Must not compile: a request that policy has not cleared cannot go into a batch either.
#include "cloud/batch_client.h"

namespace minimill {

cloud::BatchItem item(chat::ChatRequest request) { return {.custom_id = "a", .request = request}; }

}  // namespace minimill
