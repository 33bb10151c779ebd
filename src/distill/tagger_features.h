#pragma once

// What SpanTagger reads off each word of a text: hashes of the word in context.

#include <cstdint>
#include <string_view>
#include <vector>

#include "distill/words.h"

namespace minimill::distill {

/// One list of 32-bit hashes a word.
std::vector<std::vector<std::uint32_t>> tagger_features(std::string_view text,
                                                        const std::vector<Word>& words);

}  // namespace minimill::distill
