#pragma once

// How likely each of a closed question's options is to a language model: the options get letters,
// in an order drawn anew for each question (models like some letters and places better than
// others), and the model says in one token, whose probabilities are read, which letter it is. One
// pass over the prompt, nothing generated; llama-server's /v1/chat/completions with sampling
// that keeps to the letters.

#include <boost/json.hpp>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"

namespace minimill::protocol {

inline constexpr std::size_t kMaxScoredOptions = 52;  // letters, small and capital

/// Option `order[i]` gets the i-th letter. Every order as likely as any other.
std::vector<std::size_t> random_order(std::size_t options, Random& random);

std::string write_scoring_request(const chat::ChatRequest& question,
                                  std::span<const std::string> options,
                                  std::span<const std::size_t> order, std::string_view model);
/// kUnsupported where the server told no probabilities of the letters: it is none that can.
Result<chat::ChatAnswer> read_scoring_answer(std::string_view body,
                                             std::span<const std::string> options,
                                             std::span<const std::size_t> order);

}  // namespace minimill::protocol
