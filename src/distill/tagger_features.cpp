#include "distill/tagger_features.h"

#include <array>
#include <string>

#include "distill/features.h"

namespace minimill::distill {
namespace {

constexpr std::size_t kLongestAffix = 4;

struct Reading {
  std::uint32_t lower = 0;
  std::uint32_t shape = 0;
  std::uint32_t exact = 0;
};

/// "Xx" for "August", "9" for "5", "99" for "15", ":" for itself: what kind of word it is.
std::string shape_of(std::string_view word) {
  std::string shape;
  for (const char c : word) {
    char kind = c;
    if (c >= '0' && c <= '9')
      kind = '9';
    else if (c >= 'A' && c <= 'Z')
      kind = 'X';
    else if ((c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80)
      kind = 'x';
    // Runs of letters are one letter; the number of digits says much.
    if (kind != '9' && !shape.empty() && shape.back() == kind) continue;
    shape += kind;
  }
  return shape;
}

std::string lower_of(std::string_view word) {
  std::string lower(word);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

class Hasher {
 public:
  explicit Hasher(std::vector<std::uint32_t>& out) : out_(out) {}
  void add(std::uint32_t kind, std::uint32_t a, std::uint32_t b = 0, std::uint32_t c = 0) {
    const std::array<std::uint32_t, 4> all{kind, a, b, c};
    out_.push_back(term_hash({reinterpret_cast<const char*>(all.data()), sizeof all}));
  }

 private:
  std::vector<std::uint32_t>& out_;
};

enum Kind : std::uint32_t {
  kWord = 1,
  kExact,
  kShape,
  kPrefix,
  kSuffix,
  kPrevious,
  kNext,
  kPrevious2,
  kNext2,
  kPairBefore,
  kPairAfter,
  kShapeBefore,
  kShapeAfter,
  kShapes,
  kTripleBefore,
  kPosition,
  kAround,
  kShapePrevious2,
  kShapeNext2,
  kGlued,
};

}  // namespace

std::vector<std::vector<std::uint32_t>> tagger_features(std::string_view text,
                                                        const std::vector<Word>& words) {
  std::vector<Reading> readings;
  std::vector<std::string> lowers;
  for (const Word& word : words) {
    const std::string_view bytes = text.substr(word.begin, word.end - word.begin);
    lowers.push_back(lower_of(bytes));
    const std::string shape = shape_of(bytes);
    // Numbers are alike: 7:15 says as much as 7:30.
    readings.push_back(
        {.lower = term_hash(lowers.back()), .shape = term_hash(shape), .exact = term_hash(bytes)});
  }
  static constexpr Reading kOutside{.lower = 1, .shape = 1, .exact = 1};
  const auto at = [&readings](std::size_t i, int by) {
    const auto where = static_cast<std::ptrdiff_t>(i) + by;
    const bool inside = where >= 0 && where < static_cast<std::ptrdiff_t>(readings.size());
    return inside ? readings[static_cast<std::size_t>(where)] : kOutside;
  };
  std::vector<std::vector<std::uint32_t>> features(words.size());
  for (std::size_t i = 0; i < words.size(); ++i) {
    Hasher out(features[i]);
    const Reading here = readings[i];
    const Reading p1 = at(i, -1), p2 = at(i, -2), n1 = at(i, 1), n2 = at(i, 2);
    out.add(kWord, here.lower);
    out.add(kExact, here.exact);
    out.add(kShape, here.shape);
    for (std::size_t n = 1; n <= kLongestAffix && n < lowers[i].size(); ++n) {
      out.add(kPrefix, term_hash(lowers[i].substr(0, n)));
      out.add(kSuffix, term_hash(lowers[i].substr(lowers[i].size() - n)));
    }
    out.add(kPrevious, p1.lower);
    out.add(kNext, n1.lower);
    out.add(kPrevious2, p2.lower);
    out.add(kNext2, n2.lower);
    out.add(kPairBefore, p1.lower, here.lower);
    out.add(kPairAfter, here.lower, n1.lower);
    out.add(kAround, p1.lower, here.shape, n1.lower);
    out.add(kTripleBefore, p2.lower, p1.lower, here.shape);
    out.add(kShapeBefore, p1.shape, here.shape);
    out.add(kShapeAfter, here.shape, n1.shape);
    out.add(kShapes, p1.shape, here.shape, n1.shape);
    out.add(kShapePrevious2, p2.shape, p1.shape, here.shape);
    out.add(kShapeNext2, here.shape, n1.shape, n2.shape);
    const bool glued = i > 0 && words[i - 1].end == words[i].begin;
    out.add(kGlued, glued ? 1U : 0U, here.shape);
    out.add(kPosition, i == 0 ? 1U : 0U, i + 1 == words.size() ? 1U : 0U, here.shape);
  }
  return features;
}

}  // namespace minimill::distill
