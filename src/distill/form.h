#pragma once

// What an operation's answers look like, read off the answers seen and the requests' wording:
//
//   one of a closed set      "card_arrival"                 one closed field, plain
//   a copied span            "August 23rd"                  one copied field, plain
//   a number                 "44"                           closed, or copied out of the text
//   flat JSON                {"people":"4","date":"23rd"}   a field each: closed, copied or number
//   free text                everything else: no form, nothing for a micro-model to learn
//
// A form is a value. It reads answers into field values and writes field values as an answer; what
// does not fit (a wrong answer, a refusal) is told apart by not being readable.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minimill::distill {

enum class FieldKind : std::uint8_t {
  kClosed,  // one of `values`, or absent
  kCopied,  // words of the request's text, or absent
  kNumber,  // the same, written as a JSON number
};

struct Field {
  std::string name;  // empty in a plain form
  FieldKind kind = FieldKind::kClosed;
  std::vector<std::string> values;  // closed: plain text, or JSON of the value
  bool operator==(const Field&) const = default;
};

struct Form {
  static constexpr std::size_t kMostFields = 24;
  static constexpr std::size_t kMostValues = 300;
  static constexpr std::size_t kMostValueBytes = 200;
  static constexpr std::size_t kFewestExamples = 4;

  bool json = false;
  std::vector<Field> fields;  // exactly one where not json

  struct Seen {
    std::string_view text;  // what varies of the request
    std::string_view answer;
  };
  /// `options`: what the request says the answer must be one of; may be empty. nullopt: free text,
  /// or too few examples to tell. Up to a seventh of the answers may fit in no way.
  static std::optional<Form> fit(std::span<const Seen> seen, std::span<const std::string> options);

  /// One a field, nullopt where absent; nullopt where the answer is not of this form.
  using Values = std::vector<std::optional<std::string>>;
  std::optional<Values> read(std::string_view answer, std::string_view text) const;
  std::string write(const Values& values) const;

  bool operator==(const Form&) const = default;

  void append_state(std::string& out) const;
  Result<> take_state(std::string_view& bytes);
};

/// What a request says its answer must be one of: the list after "one of:" and its kin; empty where
/// there is none.
std::vector<std::string> options_in(std::string_view request);

}  // namespace minimill::distill
