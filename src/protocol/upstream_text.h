#pragma once

// What a backend said that was no answer, made fit for our own messages: one short line without
// keys. Providers echo the key they refuse, and proxies send whole pages.

#include <boost/json.hpp>
#include <cstddef>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill::protocol {

inline constexpr std::size_t kMaxShownBytes = 200;

/// Well-formed UTF-8 on one line, at most `max_bytes` long, what looks like a key ("sk-…",
/// "Bearer …") blotted out.
std::string one_line(std::string_view text, std::size_t max_bytes = kMaxShownBytes);

/// error.message as OpenAI and Anthropic both write it, or error itself where it is a string; as
/// one line. Empty where there is none.
std::string error_message(const boost::json::object& body);

/// A backend's JSON. A lone surrogate (half an emoji that was cut in two) becomes U+FFFD, as
/// everything else is understood.
Result<boost::json::object> parse_provider_object(std::string_view text);

/// An id for the call that a backend gave none: nothing could answer it. The same for the same
/// `said` and `index`.
std::string made_call_id(std::string_view said, std::size_t index);

/// kUpstream: "expected a chat completion, got '<html>…'", the first 80 bytes and these printable.
std::unexpected<Error> garbage(std::string_view expected, std::string_view got);

}  // namespace minimill::protocol
