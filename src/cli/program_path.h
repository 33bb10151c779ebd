#pragma once

// Where this very binary is: the daemon starts it again as the guard of llama-server.

#include <filesystem>

namespace minimill::cli {

/// Absolute; `argv0` is looked up on PATH where the operating system does not tell.
std::filesystem::path program_path(const char* argv0);

}  // namespace minimill::cli
