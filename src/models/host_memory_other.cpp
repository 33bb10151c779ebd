#ifndef __linux__

#include <unistd.h>

#include "models/memory.h"

namespace minimill::models {

/// All there is: POSIX does not say what is free, and macOS makes room by compressing.
std::uint64_t available_memory() {
  const long pages = sysconf(_SC_PHYS_PAGES);
  const long bytes = sysconf(_SC_PAGESIZE);
  return pages > 0 && bytes > 0
             ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(bytes)
             : 0;
}

}  // namespace minimill::models

#endif
