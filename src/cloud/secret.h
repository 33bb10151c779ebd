#pragma once

// A configured key in somebody else's words: providers echo the key that they refuse, whole or in
// part.

#include <string>
#include <string_view>

namespace minimill::cloud {

/// Puts *** for every run of characters of `text` that stands in `secret`, too, and is at least
/// eight long, or the whole of a shorter secret.
void blot_out(std::string& text, std::string_view secret);

}  // namespace minimill::cloud
