#pragma once

// A prompt may name how long its answer takes, so that a bench knows every task's time beforehand:
// "… (device takes 0.074 s, cloud takes 0.43 s)".

#include <chrono>
#include <optional>
#include <string_view>

namespace minimill::simcloud {

/// The time behind the last "`who` takes "; nullopt where there is none, or none up to an hour.
std::optional<std::chrono::nanoseconds> named_time(std::string_view who, std::string_view prompt);

}  // namespace minimill::simcloud
