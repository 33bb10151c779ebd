#ifndef __linux__

#include <unistd.h>

#include "engine/parent_death.h"

namespace minimill::engine {

bool die_with_parent(pid_t parent) { return getppid() == parent; }

}  // namespace minimill::engine

#endif
