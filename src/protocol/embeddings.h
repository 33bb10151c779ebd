#pragma once

// OpenAI's wire format of embeddings, both ways, and what every other format is turned into.
// https://platform.openai.com/docs/api-reference/embeddings
//
//   server side: parse_embedding_request → … → shorten → write_embedding_answer
//   client side: write_embedding_request → … → parse_embedding_answer

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minimill::protocol {

inline constexpr std::size_t kMaxEmbeddingInputs = 2048;          // OpenAI's
inline constexpr std::size_t kMaxEmbeddingInputTokens = 1 << 17;  // of one input given as tokens
inline constexpr std::int64_t kMaxEmbeddingDimensions = 1 << 16;

/// What to embed: texts, or the tokens of texts; one of the two is empty, and so is none of its
/// entries.
struct EmbeddingRequest {
  std::string model;
  std::vector<std::string> texts;
  std::vector<std::vector<std::int64_t>> tokens;
  std::optional<std::int64_t> dimensions;  // fewer than the model's own
  bool base64 = false;                     // the app wants vectors as bytes

  std::size_t inputs() const { return texts.empty() ? tokens.size() : texts.size(); }
  bool operator==(const EmbeddingRequest&) const = default;
};

/// A vector for each input, in order; all of one length, no number infinite.
struct EmbeddingAnswer {
  std::string model;
  std::vector<std::vector<float>> vectors;
  std::int64_t prompt_tokens = 0;
  bool operator==(const EmbeddingAnswer&) const = default;
};

/// The body of POST /v1/embeddings.
Result<EmbeddingRequest> parse_embedding_request(std::string_view body);

/// A body for a backend that calls its model `model`. It asks for floats, and for all of them: not
/// every backend shortens vectors, `shorten` does.
std::string write_embedding_request(const EmbeddingRequest& request, std::string_view model);

/// A backend's list of `inputs` vectors, put in the order of their indexes. Anything else is
/// kUpstream.
Result<EmbeddingAnswer> parse_embedding_answer(std::string_view body, std::size_t inputs);

/// Vectors as JSON numbers, or as base64 of little-endian float32.
std::string write_embedding_answer(const EmbeddingAnswer& answer, bool base64);

/// The first `dimensions` of each vector, brought back to length one: what is left of a model that
/// was trained for it (Kusupati et al. 2022, Matryoshka Representation Learning). Also where they
/// are all of them. kInvalidArgument, naming "dimensions", where the model has fewer.
Result<EmbeddingAnswer> shorten(EmbeddingAnswer answer, std::int64_t dimensions);

/// A vector as a JSON array, each number as short as it reads back the same.
void append_vector(std::string& out, const std::vector<float>& vector);

}  // namespace minimill::protocol
