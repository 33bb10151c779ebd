#ifdef __linux__

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>

#include "engine/parent_death.h"

namespace minimill::engine {

bool die_with_parent(pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  // The parent may have died before the call took effect; then nobody will ever send the signal.
  return getppid() == parent;
}

}  // namespace minimill::engine

#endif
