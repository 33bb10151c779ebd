#include "simcloud/embedding.h"

#include <algorithm>
#include <cmath>

#include "simcloud/answering.h"

namespace minimill::simcloud {
namespace {

constexpr std::size_t kDimensions = 64;
constexpr std::size_t kMaxDimensions = 4096;
constexpr std::size_t kGramBytes = 3;
constexpr std::size_t kBytesPerToken = 4;

/// Trigrams, each counted in the place, and with the sign, that its hash says.
std::vector<float> vector_of(std::string_view text, std::size_t dimensions) {
  std::vector<float> vector(dimensions, 0.0F);
  const std::string padded = "^" + std::string(text) + "$$";
  for (std::size_t i = 0; i + kGramBytes <= padded.size(); ++i) {
    std::uint64_t gram = 0;
    for (std::size_t j = 0; j < kGramBytes; ++j) {
      gram = (gram << 8U) | static_cast<unsigned char>(padded[i + j]);
    }
    const std::uint64_t hash = scrambled(gram);
    vector[hash % dimensions] += (hash >> 63U) != 0 ? 1.0F : -1.0F;
  }
  double squares = 0;
  for (const float each : vector) squares += static_cast<double>(each) * each;
  const auto length = static_cast<float>(squares > 0 ? std::sqrt(squares) : 1.0);
  for (float& each : vector) each /= length;
  return vector;
}

}  // namespace

protocol::EmbeddingAnswer embed(const protocol::EmbeddingRequest& request) {
  const auto wanted = static_cast<std::size_t>(request.dimensions.value_or(kDimensions));
  const std::size_t dimensions = std::clamp<std::size_t>(wanted, 1, kMaxDimensions);
  protocol::EmbeddingAnswer answer;
  answer.model = request.model.starts_with("sim-") ? request.model : "sim-" + request.model;
  for (const std::string& text : request.texts) {
    answer.vectors.push_back(vector_of(text, dimensions));
    answer.prompt_tokens += static_cast<std::int64_t>(text.size() / kBytesPerToken + 1);
  }
  for (const std::vector<std::int64_t>& tokens : request.tokens) {
    std::string text;
    for (const std::int64_t token : tokens) text += std::to_string(token) + ' ';
    answer.vectors.push_back(vector_of(text, dimensions));
    answer.prompt_tokens += static_cast<std::int64_t>(tokens.size());
  }
  return answer;
}

}  // namespace minimill::simcloud
