#include <sys/stat.h>

#include <string_view>

#include "cli/command.h"
#include "engine/guard.h"

int main(int argc, char** argv) {
  // Prompts, answers and keys are in most files that minimill makes, whichever command makes them:
  // all are their owner's only.
  constexpr mode_t kOthers = 0077;
  const mode_t shell_umask = ::umask(kOthers);
  // llama-server's guard is this binary too; it must stay small, so it goes before everything else.
  constexpr std::string_view kGuard = "engine-guard";
  if (argc > 1 && argv[1] == kGuard) return minimill::engine::run_guard(argc - 1, argv + 1);
  return minimill::cli::run_command_line(argc, argv, shell_umask);
}
