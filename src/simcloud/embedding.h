#pragma once

// Vectors of texts without a model: similar texts, by their letters, are near each other.

#include "protocol/embeddings.h"

namespace minimill::simcloud {

/// Of unit length; 64 numbers each, or as many as asked for.
protocol::EmbeddingAnswer embed(const protocol::EmbeddingRequest& request);

}  // namespace minimill::simcloud
