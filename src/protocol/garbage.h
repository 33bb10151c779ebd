#pragma once

// A backend that answers with something else than its protocol.

#include <string_view>

#include "base/error.h"

namespace minimill::protocol {

/// kUpstream: "expected a chat completion, got '<html>…'", the beginning printable and short.
std::unexpected<Error> garbage(std::string_view expected, std::string_view got);

}  // namespace minimill::protocol
