#pragma once

// A prompt that is longer than the model's context: every backend says so in its own words, and
// clients look for those of their own protocol before they shorten the conversation. One error
// (ErrorCode::kContextExceeded) stands for all of them between a backend's body and a client's.

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/error.h"

namespace minimill::protocol {

/// The error, its message in Anthropic's words, which say both numbers: "prompt is too long: 9000
/// tokens > 4096 maximum".
Error context_error(std::int64_t prompt_tokens, std::int64_t context_tokens);

/// What the body of a 400 or 413 means, where it is that: llama-server's exceed_context_size_error,
/// OpenAI's context_length_exceeded, Anthropic's "prompt is too long". Where the numbers are not
/// told, the message is the backend's.
std::optional<Error> context_error_in(std::string_view body);

}  // namespace minimill::protocol
