// `minimill engine-guard` alone, for the engine's unit tests, which have no minimill binary.

#include "engine/guard.h"

int main(int argc, char** argv) { return minimill::engine::run_guard(argc - 1, argv + 1); }
