#pragma once

// Which operation is this? An open-set classifier: one linear scorer per operation over hashed
// words, pairs of words and runs of three to five characters, learnt online. A text that no scorer
// knows scores kUnknown with every one of them, and is called unknown; so is one whose best score
// stays under a bar that is kept where few known texts fall below it.
//
// Each scorer is a one-against-all support vector machine in its online form (Crammer et al. 2006,
// "Online Passive-Aggressive Algorithms", PA-II): nothing changes where the margins are wide
// enough, so that learning an operation from a handful of examples does not blur the others.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "route/features.h"
#include "route/vocabulary.h"

namespace minimill::route {

using OperationIndex = std::uint16_t;

class SkillClassifier {
 public:
  static constexpr std::size_t kMaxOperations = 160;
  static constexpr double kUnknown = -1;  // the score of a text that has nothing familiar

  struct Candidate {
    OperationIndex operation = 0;
    float score = 0;
    float share = 0;  // of the belief, the rest is "unknown" and candidates not listed
  };
  struct Recognition {
    static constexpr std::size_t kMost = 4;
    std::array<Candidate, kMost> candidates{};  // best first
    std::size_t count = 0;
    bool known = false;  // the first is it
    std::span<const Candidate> all() const { return {candidates.data(), count}; }
  };

  SkillClassifier();

  Recognition recognise(const Features& features) const;
  /// `operation` is what the text is; all others are what it is not. A text that is gone over again
  /// (not `new_text`) says nothing more of how common its words are, nor of the bar.
  void learn(const Features& features, OperationIndex operation, bool new_text = true);
  /// The text is none of the known operations.
  void learn_none(const Features& features);

  /// Those that have been learnt have numbers below this.
  std::size_t size() const { return used_; }

  /// Forgets what it knows of an operation, for another to take its number.
  void clear(OperationIndex operation);

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  std::vector<Term> terms_of(const Features& features) const;
  void score(const std::vector<Term>& terms, std::vector<float>& scores) const;
  void move_towards(const std::vector<Term>& terms, const std::vector<float>& scores,
                    int operation);
  void make_column(OperationIndex operation);

  Vocabulary vocabulary_;
  std::size_t columns_ = 0;            // operations there is room for
  std::size_t used_ = 0;               // operations that have a scorer: numbers below this
  std::vector<std::int16_t> weights_;  // a row per bucket, a column per operation; in 1/kOne
  double bar_;                         // the best score under it means "unknown"
};

}  // namespace minimill::route
