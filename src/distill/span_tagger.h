#pragma once

// Which words of a text belong to which field? A linear-chain conditional random field (Lafferty,
// McCallum, Pereira 2001) over words with the tags outside, begins FIELD, inside FIELD (Ramshaw &
// Marcus 1995), trained on the exact likelihood by adaptive stochastic gradient steps (Duchi et al.
// 2011). Reads off each word and its neighbours: the word, its shape, its beginnings and endings,
// the pairs; no lists of names or places.
//
// An answer is a set of fields with one span each. Its probability is the sum over those of the n
// best taggings (exact, Schwartz & Chow 1990) that give it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "distill/words.h"

namespace minimill::distill {

class SpanTagger {
 public:
  static constexpr std::size_t kMostFields = 24;
  static constexpr std::size_t kPaths = 8;  // the n of n best

  using Spans = std::vector<std::optional<WordRange>>;  // one a field
  struct Example {
    std::string_view text;
    Spans spans;
    float weight = 1;
  };
  struct Answer {
    Spans spans;
    double probability = 0;  // not calibrated
    double runner_up = 0;    // of the next answer
  };

  SpanTagger() = default;
  /// Pure: the same examples make the same model.
  static SpanTagger train(std::span<const Example> examples, std::size_t fields);

  /// The most probable answer; nullopt where every likely tagging has a field twice.
  std::optional<Answer> predict(std::string_view text) const;
  std::size_t fields() const { return tags_ / 2; }

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  struct Trellis;
  friend class TaggerTrainer;

  std::size_t tags_ = 1;            // outside, then begins and inside of every field
  std::uint32_t bits_ = 8;          // of buckets
  std::vector<float> transitions_;  // from (tags_ means the beginning) × to
  float scale_ = 0;
  std::vector<std::int8_t> weights_;  // a row a bucket, a column a tag
};

}  // namespace minimill::distill
