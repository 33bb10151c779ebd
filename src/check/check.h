#pragma once

// Is an answer right? A check is a value: a type and what is expected.
//
//   {"type": "equals", "value": "card_arrival"}      case and outer white space ignored
//   {"type": "contains", "value": "invoice"}         case ignored; a list: all of them
//   {"type": "regex", "value": "\\b[A-Z]{2}-\\d+\\b"}  RE2, found anywhere
//   {"type": "final_number", "value": "44"}          the last number; thousands separators ignored
//   {"type": "json_fields", "value": {"date": "…"}}  every field equal, no other field
//   {"type": "json_schema", "value": {…}}            JSON Schema draft 7
//
// For the JSON checks the answer may wrap its object in a ```json fence or in prose: the first
// complete top-level object counts.

#include <boost/json.hpp>
#include <memory>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill::check {

namespace json = boost::json;

struct Verdict {
  bool passed = false;
  std::string why;  // for people, when it failed: "expected 'card_arrival', got 'change_pin'"
};

class Check {
 public:
  /// An unknown type, a bad pattern or schema is kInvalidArgument naming `field` + the part.
  static Result<Check> parse(const json::value& spec, std::string_view field = "check");

  Verdict run(std::string_view answer) const;
  const std::string& type() const;
  /// As it was given, for storing.
  const json::value& spec() const;

 private:
  struct Impl;
  explicit Check(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;  // shared: checks are values and immutable
};

}  // namespace minimill::check
