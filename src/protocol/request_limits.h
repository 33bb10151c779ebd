#pragma once

// What one request may hold at most. Honest apps stay far below; the byte limit of a body is the
// HTTP server's.

#include <cstddef>
#include <cstdint>

namespace minimill::protocol {

inline constexpr std::size_t kMaxMessages = 4096;
inline constexpr std::size_t kMaxParts = 1024;  // parts, blocks or tool calls of one message
inline constexpr std::size_t kMaxTools = 512;
inline constexpr std::size_t kMaxStops = 16;           // OpenAI's "stop"
inline constexpr std::size_t kMaxStopSequences = 128;  // Anthropic's "stop_sequences"
inline constexpr std::size_t kMaxModelBytes = 256;
inline constexpr std::int64_t kMaxAnswerTokens = 1 << 24;
inline constexpr std::int64_t kMaxChoices = 128;
inline constexpr std::int64_t kMaxTopLogprobs = 20;

}  // namespace minimill::protocol
