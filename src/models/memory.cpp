#include "models/memory.h"

namespace minimill::models {
namespace {

constexpr double kBytesPerNumber = 2;  // f16
constexpr double kMostBytes = 1e18;

}  // namespace

MemoryNeed memory_need(const GgufInfo& info, std::int64_t context_tokens) {
  // In floating point: a hostile head may claim counts whose product no integer holds.
  const double of_a_head =
      info.heads > 0 ? static_cast<double>(info.embedding_length) / static_cast<double>(info.heads)
                     : 0;
  const double key = info.key_length > 0 ? static_cast<double>(info.key_length) : of_a_head;
  const double value = info.value_length > 0 ? static_cast<double>(info.value_length) : of_a_head;
  const double bytes = static_cast<double>(info.kv_heads) * (key + value) * kBytesPerNumber *
                       static_cast<double>(context_tokens);
  return {.weights = info.file_bytes,
          .kv_cache = static_cast<std::uint64_t>(bytes < kMostBytes ? bytes : kMostBytes)};
}

}  // namespace minimill::models
