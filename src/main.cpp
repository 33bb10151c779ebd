#include <string_view>

#include "cli/command.h"
#include "engine/guard.h"

int main(int argc, char** argv) {
  // llama-server's guard is this binary too; it must stay small, so it goes before everything else.
  constexpr std::string_view kGuard = "engine-guard";
  if (argc > 1 && argv[1] == kGuard) return minimill::engine::run_guard(argc - 1, argv + 1);
  return minimill::cli::run_command_line(argc, argv);
}
