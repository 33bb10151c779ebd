#ifdef __linux__

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "models/memory.h"

namespace minimill::models {
namespace {

constexpr std::uint64_t kKib = 1024;

/// MemAvailable of /proc/meminfo (proc(5)), in bytes.
std::optional<std::uint64_t> system_available() {
  std::ifstream in("/proc/meminfo");
  std::string word;
  std::uint64_t kib = 0;
  while (in >> word) {
    if (word == "MemAvailable:" && in >> kib) return kib * kKib;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> number_in(const char* path) {
  std::ifstream in(path);
  std::uint64_t number = 0;  // "max" is none
  if (in >> number) return number;
  return std::nullopt;
}

/// What a container's limit leaves (cgroup v2, as a container sees its own).
std::optional<std::uint64_t> group_available() {
  const auto most = number_in("/sys/fs/cgroup/memory.max");
  const auto taken = number_in("/sys/fs/cgroup/memory.current");
  if (!most || !taken) return std::nullopt;
  return *most - std::min(*most, *taken);
}

}  // namespace

std::uint64_t available_memory() {
  constexpr auto kUnknown = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t least =
      std::min(system_available().value_or(kUnknown), group_available().value_or(kUnknown));
  return least == kUnknown ? 0 : least;
}

}  // namespace minimill::models

#endif
