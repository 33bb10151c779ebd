#pragma once

// Ollama's endpoints about models, server side: what there is (/api/tags), what is loaded
// (/api/ps), what one is like (/api/show), and fetching and deleting one.

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace minimill::protocol::ollama {

/// The body of POST /api/show and /api/pull, and of DELETE /api/delete.
struct ModelRequest {
  std::string model;
  bool stream = true;     // progress as lines; else one line at the end
  bool insecure = false;  // fetch without TLS
};
Result<ModelRequest> parse_model_request(std::string_view body);

/// "llama", "8.0B", "Q4_K_M"; empty where unknown.
struct ModelDetails {
  std::string format = "gguf";
  std::string family;
  std::string parameter_size;
  std::string quantization_level;
};

struct LocalModel {
  std::string name;
  WallTime modified_at;
  std::int64_t size_bytes = 0;
  std::string digest;  // SHA-256 in hex
  ModelDetails details;
};
std::string write_tags(const std::vector<LocalModel>& models);

struct LoadedModel {
  std::string name;
  std::int64_t size_bytes = 0;       // of memory, the GPU's included
  std::int64_t size_vram_bytes = 0;  // of these on the GPU
  std::string digest;
  ModelDetails details;
  std::optional<WallTime> expires_at;  // unset: stays loaded
  std::int64_t context_length = 0;     // tokens
};
std::string write_ps(const std::vector<LoadedModel>& models);

struct ShownModel {
  WallTime modified_at;
  ModelDetails details;
  std::string chat_template;
  std::string parameters;  // as a Modelfile has them: "temperature 0.7\nstop …"
  std::string license;
  std::vector<std::string> capabilities;  // completion, tools, vision, embedding, thinking
  std::int64_t context_length = 0;        // tokens; 0: unknown
  std::int64_t embedding_length = 0;      // of a vector inside the model; 0: unknown
  boost::json::object model_info;         // GGUF metadata; its own lengths win over the two above
};
std::string write_show(const ShownModel& model);

/// {"version": "…"}: clients compare it with the Ollama release that they need.
std::string write_version(std::string_view version);

/// One line: "pulling manifest", "pulling <digest>" with bytes, …, "success".
struct PullProgress {
  std::string status;
  std::string digest;  // "sha256:…"; empty: none
  std::optional<std::int64_t> total_bytes;
  std::optional<std::int64_t> completed_bytes;
};
std::string write_pull_progress(const PullProgress& progress);

}  // namespace minimill::protocol::ollama
