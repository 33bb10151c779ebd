#pragma once

// ggml's tensor types (ggml/include/ggml.h, enum ggml_type; block layouts in ggml-common.h): what a
// file's weights are made of, and how many bytes they take.

#include <cstdint>
#include <string_view>

namespace minimill::models {

struct TensorType {
  std::uint32_t number;
  std::string_view name;
  std::uint32_t block;  // weights that are stored together
  std::uint32_t bytes;  // of a block
};

/// nullptr for a number that ggml has not given, or has taken back.
const TensorType* find_tensor_type(std::uint32_t number);

}  // namespace minimill::models
