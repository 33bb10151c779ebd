#pragma once

// Ollama's two wire formats of embeddings, server side: POST /api/embed, and the older
// /api/embeddings for one text.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "protocol/embeddings.h"
#include "protocol/ollama.h"

namespace minimill::protocol::ollama {

inline constexpr std::size_t kMaxEmbedInputs = 16'384;  // whole collections come in one request

struct EmbedRequest {
  EmbeddingRequest embedding;
  bool truncate = true;  // cut a text that is too long for the model; else that is an error
  std::optional<std::chrono::seconds> keep_alive;  // as in Request
  bool load_only = false;                          // no text: load the model
  std::vector<std::string> emulated;               // as in ChatRequest
};

/// The body of POST /api/embed: `input` is a text or a list of texts.
Result<EmbedRequest> parse_embed_request(std::string_view body);
/// The body of POST /api/embeddings: `prompt` is a text.
Result<EmbedRequest> parse_embeddings_request(std::string_view body);

/// {"model", "embeddings": [[…], …], durations, "prompt_eval_count"}. Without vectors it also
/// answers a request that is load_only.
std::string write_embed_answer(const EmbeddingAnswer& answer, const Durations& durations);
/// {"embedding": […]}: the first vector.
std::string write_embeddings_answer(const EmbeddingAnswer& answer);

}  // namespace minimill::protocol::ollama
