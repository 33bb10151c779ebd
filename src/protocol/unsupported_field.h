#pragma once

// What a request may well ask of its protocol's maker, and minimill does not do.

#include <string>

#include "base/error.h"

namespace minimill::protocol {

/// kUnsupported with the field's path; base's fail_field is for what is wrong everywhere.
std::unexpected<Error> unsupported_field(std::string path, std::string message, std::string hint);

}  // namespace minimill::protocol
