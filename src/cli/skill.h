#pragma once

// What was learnt from the cloud's answers: the commands that show it and its traces.

#include "cli/command.h"

namespace minimill::cli {

void add_skill(CLI::App& app, Context& context);
void add_trace(CLI::App& app, Context& context);

}  // namespace minimill::cli
