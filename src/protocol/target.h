#pragma once

// Kinds of backends that requests are written for: our own llama-server and servers like it,
// OpenAI- compatible providers, Anthropic.

namespace minimill::protocol {

enum class Target { kLlamaServer, kOpenAi, kAnthropic };
inline constexpr int kTargets = 3;

}  // namespace minimill::protocol
