#pragma once

// Where the llama-server to run is: the one that MINIMILL_LLAMA_SERVER in the environment names,
// else the configured one, else the one on PATH if it is at least v0.5, else the one that `make`
// built under the cache folder.

#include <filesystem>
#include <functional>
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

/// `variable` reads the environment; "" where a variable is not set.
LlamaServerPlaces llama_server_places(
    const std::function<std::string_view(std::string_view)>& variable,
    std::filesystem::path configured);

/// kNotFound says how to get one. Blocks for as long as a program on PATH takes to say its version,
/// up to 5 s each: not for the event loop, which has LlamaServerFinder.
Result<std::filesystem::path> find_llama_server(const LlamaServerPlaces& places);

/// Of what `llama-server --version` prints ("version: 0.5.0-dev (build 1, commit de3ff81)"):
/// whether it is at least v0.5. Before v0.5 llama.cpp had build numbers alone ("version: 6123
/// (abc)"); those lack options that we pass, whatever their number.
bool is_new_enough(std::string_view version_output);

}  // namespace minimill::engine
