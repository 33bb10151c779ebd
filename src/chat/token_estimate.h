#pragma once

// Tokens from bytes, for what has to be known before a backend has counted, or where it never
// tells: about 3.5 bytes a token in English, fewer in code and other scripts.

#include <cstddef>
#include <cstdint>

namespace minimill::chat {

inline std::int64_t estimated_tokens(std::size_t bytes) {
  constexpr double kBytesPerToken = 3.5;
  return static_cast<std::int64_t>(static_cast<double>(bytes) / kBytesPerToken) + 1;
}

}  // namespace minimill::chat
