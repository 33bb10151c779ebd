#pragma once

// The head of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): enough to
// show a model, to fit it to the machine and to refuse what is no model. Bounded: a hostile file
// can cost neither memory nor time.

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/error.h"

namespace minimill::models {

struct GgufInfo {
  std::uint32_t version = 0;
  std::string architecture;  // "llama"
  std::string name;          // general.name
  std::string quantization;  // of most weights: "Q4_1"
  std::int64_t context_length = 0;
  std::int64_t embedding_length = 0;
  std::int64_t layers = 0;
  std::int64_t heads = 0;         // of attention, in a layer; 0: not said, as with the next three
  std::int64_t kv_heads = 0;      // those that keep keys and values, of all layers together
  std::int64_t key_length = 0;    // numbers a head keeps of a token
  std::int64_t value_length = 0;  // the same of values
  std::uint64_t parameters = 0;
  std::uint64_t tensors = 0;
  std::uint64_t file_bytes = 0;
  std::int64_t pooling_type = 0;  // llama.cpp's number; 0: none, as with models that chat
  bool has_chat_template = false;
};

/// kCorrupt with what is wrong: no GGUF, an unknown version, or a file shorter than its tensors
/// need ("truncated: 61.2 MB of 98.4 MB").
Result<GgufInfo> read_gguf(const std::filesystem::path& path);

}  // namespace minimill::models
