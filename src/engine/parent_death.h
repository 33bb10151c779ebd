#pragma once

// "Kill me when my parent dies": the kernel's own promise where there is one.

#include <sys/types.h>

namespace minimill::engine {

/// Called in a child between fork() and exec(): async-signal-safe. On Linux the process is killed
/// when its parent, `parent`, ends in whatever way; elsewhere this does nothing. False when the
/// parent has died already.
bool die_with_parent(pid_t parent);

}  // namespace minimill::engine
