#pragma once

// Percent-encoding (RFC 3986, section 2.1), read.

#include <optional>
#include <string>
#include <string_view>

namespace minimill::http {

/// nullopt for a broken escape and for %00, which no honest client sends.
std::optional<std::string> percent_decoded(std::string_view text);

}  // namespace minimill::http
