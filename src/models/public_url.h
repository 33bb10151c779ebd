#pragma once

// URLs as they may be shown and stored: a private mirror's password and a signed link's token are
// secrets.

#include <string>
#include <string_view>

namespace minimill::models {

/// Without user, password, query and fragment; "" for what is no URL.
std::string public_url(std::string_view url);

}  // namespace minimill::models
