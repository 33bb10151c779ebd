#pragma once

// Why a llama-server did not start, read from the last of its output.

#include <string_view>

#include "base/error.h"

namespace minimill::engine {

/// `status` as a shell shows it. kCorrupt for a damaged model file, kUnsupported for one this
/// llama-server does not know, kInvalidArgument for an option it does not take, else kUnavailable;
/// always with the line of its output that says most.
Error start_failure(std::string_view engine, std::string_view output, int status);

/// "status 1", "signal 9".
std::string describe_exit(int status);

}  // namespace minimill::engine
