#pragma once

// Whether a model fits this machine: what its llama-server takes in memory, by the GGUF's head, and
// how much there is.

#include <cstdint>

#include "models/gguf.h"

namespace minimill::models {

struct MemoryNeed {
  std::uint64_t weights = 0;   // bytes; mapped from the file, so two servers share them
  std::uint64_t kv_cache = 0;  // keys and values of all tokens in the context
};

/// `context_tokens` of all slots together. Keys and values are taken to be of 16 bits, as
/// llama-server keeps them unless told otherwise; a model that looks back over a window only
/// takes less than this.
MemoryNeed memory_need(const GgufInfo& info, std::int64_t context_tokens);

/// Bytes that programs may still take without swapping, here and now: what the system says, or what
/// its control group leaves, whichever is less; 0 where neither can be known.
std::uint64_t available_memory();

}  // namespace minimill::models
