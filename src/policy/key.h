#pragma once

// Keys of apps. A key is shown once, when it is made; what is stored is its SHA-256 (a key has 256
// random bits, so a slow hash would add nothing).

#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill::policy {

/// "mm-" and 32 bytes of the system's randomness in URL-safe base64.
Result<std::string> make_key();

/// What is stored of a key: 64 hexadecimal digits.
std::string hash_of(std::string_view key);

/// In a time that does not depend on where they differ.
bool same_hash(std::string_view a, std::string_view b);

}  // namespace minimill::policy
