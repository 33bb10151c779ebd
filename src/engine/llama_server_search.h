#pragma once

// Where a llama-server may be, apart from the environment that says so: for find_llama_server() and
// its tests.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill::engine {

struct LlamaServerPlaces {
  std::filesystem::path asked_for;   // MINIMILL_LLAMA_SERVER
  std::filesystem::path configured;  // [local] llama_server
  std::string search_path;           // PATH
  std::filesystem::path cache;       // ~/.cache/minimill/llama.cpp, where `make` builds
};

Result<std::filesystem::path> find_llama_server_in(const LlamaServerPlaces& places);

/// Of what `llama-server --version` prints ("version: 0.5.0-dev (build 1, commit de3ff81)"):
/// whether it is at least v0.5. Before v0.5 llama.cpp had build numbers alone ("version: 6123
/// (abc)"); those lack options that we pass, whatever their number.
bool is_new_enough(std::string_view version_output);

}  // namespace minimill::engine
