#pragma once

// The log: one line per event on stderr, levels error, warn, info, debug. Prompts, answers and keys
// never go in; ids, sizes, names and durations do.
//
//   log::info("engine {} healthy after {} ms", name, ms);

#include <spdlog/spdlog.h>

#include <string_view>

#include "base/error.h"

namespace minimill::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

/// Sends the log to stderr at `level`: "error", "warn", "info" or "debug". Call once, from main.
Result<> start(std::string_view level);

}  // namespace minimill::log
