#pragma once

// The process between the daemon and llama-server, so that no llama-server outlives its daemon.
//
//   minimill engine-guard -- PROGRAM ARGUMENT...
//
// A daemon that is killed with SIGKILL cannot end its children, and POSIX has no call that would do
// it instead. What the kernel does do for a dead process is to close its descriptors. So the guard
// sits on a socket (its stdin) whose other end only the daemon holds: end-of-file there means that
// the daemon asked for the end or is gone, however it went. The guard then ends its child: SIGTERM,
// and SIGKILL after kGrace. The other way round, where the guard itself is killed, Linux takes the
// child along (see parent_death.h), and a living daemon kills the guard's process group.
//
// On its stdin, if that is a socket, the guard first says "pid N\n": its child's process id.

#include <chrono>

namespace minimill::engine {

/// How long the child may take to end after SIGTERM.
inline constexpr std::chrono::milliseconds kGuardGrace{2'000};

/// The body of the hidden subcommand; `argv` from the subcommand's name on: {"engine-guard", "--",
/// PROGRAM, …}. Returns the child's exit status, 128 + N where signal N ended it, 127 where it
/// could not be started. Closes every descriptor from 3 on: call it before opening any.
int run_guard(int argc, char** argv);

}  // namespace minimill::engine
