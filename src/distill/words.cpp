#include "distill/words.h"

namespace minimill::distill {
namespace {

enum class Kind { kSpace, kLetter, kDigit, kOther };

Kind kind_of(char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte <= ' ') return Kind::kSpace;
  if (byte >= '0' && byte <= '9') return Kind::kDigit;
  const bool letter = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte >= 0x80;
  return letter ? Kind::kLetter : Kind::kOther;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && kind_of(text.front()) == Kind::kSpace) text.remove_prefix(1);
  while (!text.empty() && kind_of(text.back()) == Kind::kSpace) text.remove_suffix(1);
  return text;
}

}  // namespace

std::vector<Word> words_of(std::string_view text) {
  std::vector<Word> words;
  std::size_t at = 0;
  while (at < text.size() && words.size() < kMostWords) {
    const Kind kind = kind_of(text[at]);
    std::size_t end = at + 1;
    if (kind == Kind::kLetter || kind == Kind::kDigit) {
      while (end < text.size() &&
             (kind_of(text[end]) == kind ||
              (kind == Kind::kLetter && text[end] == '\'' && end + 1 < text.size() &&
               kind_of(text[end + 1]) == Kind::kLetter))) {
        ++end;
      }
    }
    if (kind != Kind::kSpace) words.push_back({.begin = at, .end = end});
    at = end;
  }
  return words;
}

std::optional<WordRange> find_value(std::string_view text, const std::vector<Word>& words,
                                    std::string_view value) {
  value = trimmed(value);
  if (value.empty()) return std::nullopt;
  for (std::size_t first = 0; first < words.size(); ++first) {
    const std::size_t begin = words[first].begin;
    if (text.compare(begin, value.size(), value) != 0) continue;
    for (std::size_t last = first; last < words.size(); ++last) {
      if (words[last].end == begin + value.size())
        return WordRange{.first = first, .last = last + 1};
      if (words[last].end > begin + value.size()) break;
    }
  }
  return std::nullopt;
}

}  // namespace minimill::distill
