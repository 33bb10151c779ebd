#pragma once

// What stays the same over an operation's requests (instructions, the list of answers) against what
// varies (the mail). Found by aligning requests as they come: a template is the parts that all of
// its requests have in common, in their order; between them are gaps, and what stood in the gaps is
// what the learners see.
//
//   Templates templates;
//   templates.learn(request);                       // of every request that was answered
//   templates.match(request) → {text, template, known}
//
// While young a template shrinks to what its requests share. Then it is kept to the letter, but for
// a word or two at a gap's edge: a request with another instruction or another list of answers
// matches none, is novel, and starts a template of its own. Alignment is that of longest
// common subsequences (Hirschberg 1975), of words rather than characters, anchored at both ends.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minimill::distill {

class Templates {
 public:
  static constexpr std::size_t kMost = 16;
  static constexpr std::size_t kSettled = 5;  // requests seen, before its requests are answered
  static constexpr std::size_t kMostPieces = 6'000;  // words and marks of a request; longer: bare

  struct Match {
    std::string text;  // what stood in the gaps, joined by line feeds
    std::uint32_t template_id = 0;
    bool settled = false;  // seen often enough for its requests to be answered
  };

  /// nullopt: novel, nothing like it has been seen.
  std::optional<Match> match(std::string_view request) const;
  /// The match after learning from the request; nullopt while nothing is like it yet.
  std::optional<Match> learn(std::string_view request);

  /// Of each, the parts that stay the same, " … " for the gaps: for people.
  std::vector<std::string> shown() const;
  std::size_t size() const { return all_.size(); }

  /// Requests that no template was made of are not saved.
  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);

 private:
  using Pieces = std::vector<std::string>;  // words and marks; white space is not looked at
  using Views = std::vector<std::string_view>;
  struct Template {
    std::uint32_t id = 0;
    std::vector<Pieces> parts;  // the first begins it, the last ends it; a gap between each
    std::uint32_t seen = 0;
    std::size_t longest = 0;  // bytes in the gaps of what was seen
    std::size_t constants() const;
  };
  static std::optional<std::string> align(const Template& like, std::string_view request,
                                          const Views& pieces);
  static Template common(const Template& like, const Views& pieces);
  const Template* find(std::string_view request, const Views& pieces, std::string& gaps) const;
  bool shrink(const Views& pieces);
  void start(std::string_view request, const Views& pieces);
  void start_bare();
  void add(Template made);

  std::vector<Template> all_;
  std::vector<std::string> unmatched_;  // the last few, waiting for one like them
  std::uint32_t next_id_ = 1;
};

}  // namespace minimill::distill
