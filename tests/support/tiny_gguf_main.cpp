// minimill-tiny-gguf PATH [SEED]: writes the tiny random model, for the end-to-end tests and for
// the demo where no real model is within reach.

#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>

#include "support/tiny_gguf.h"

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: minimill-tiny-gguf PATH [SEED]\n";
    return 2;
  }
  try {
    minimill::test::write_tiny_gguf(argv[1], argc > 2 ? std::stoull(argv[2]) : 1);
  } catch (const std::exception& error) {
    std::cerr << "minimill-tiny-gguf: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
