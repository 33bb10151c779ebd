#pragma once

// Spans of time and sizes as people write them: "90", "90s", "15m", "8h", "2d"; "512", "64kB",
// "500MB", "2GB" (powers of ten, as disks are sold; "KiB", "MiB", "GiB" are powers of two).

#include <cstdint>
#include <optional>
#include <string_view>

namespace minimill {

/// In seconds; nullopt for what is none. Never negative.
std::optional<double> parse_seconds(std::string_view text);
/// In bytes; the same.
std::optional<std::int64_t> parse_bytes(std::string_view text);

}  // namespace minimill
