#pragma once

// A text cut into words for tagging: runs of letters (with apostrophes inside), runs of digits, and
// every other character but white space alone. Bytes outside ASCII count as letters. What people
// copy out of a text ("7:15", "August 23rd") begins and ends at these places.

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace minimill::distill {

struct Word {
  std::size_t begin = 0;  // bytes into the text
  std::size_t end = 0;
};

inline constexpr std::size_t kMostWords = 400;  // of a text; what follows is not looked at

std::vector<Word> words_of(std::string_view text);

/// Words [first, last) whose bytes, outer white space aside, are exactly `value`: the first such
/// place; nullopt where there is none.
struct WordRange {
  std::size_t first = 0;
  std::size_t last = 0;
};
std::optional<WordRange> find_value(std::string_view text, const std::vector<Word>& words,
                                    std::string_view value);

}  // namespace minimill::distill
