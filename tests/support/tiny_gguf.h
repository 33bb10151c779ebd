#pragma once

// Writes a tiny llama-architecture model with random weights (a few hundred kB) that the real
// llama-server loads and runs: for tests of mechanics, which need no language skill and no
// download.

#include <cstdint>
#include <filesystem>

namespace minimill::test {

/// Deterministic for a seed. Throws std::runtime_error if the file cannot be written.
void write_tiny_gguf(const std::filesystem::path& path, std::uint64_t seed = 1);

}  // namespace minimill::test
