#pragma once

// Text that is safe to put into a JSON string: what comes out of a backend or out of a cut may be
// no UTF-8, and append_json_string and Boost.JSON write bytes as they come.

#include <cstddef>
#include <string>
#include <string_view>

namespace minimill::protocol {

/// Every byte that belongs to no well-formed character (RFC 3629) becomes a '?'.
std::string valid_utf8(std::string_view text);

/// At most `max_bytes` of well-formed `text`, cut between characters.
std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes);

}  // namespace minimill::protocol
