#pragma once

// JSON Schema, draft 7 (https://json-schema.org/draft-07/json-schema-validation), for schemas and
// values that both come from outside.
//
// Ours because the libraries at hand cannot be given such: they match `pattern` with std::regex,
// which takes exponential time and a stack frame a character, and follow a `$ref` to itself until
// the stack ends. Here patterns are RE2 and every validation has a budget of steps.
//
// In a task's check, a keyword we do not know is an error, not ignored, since a misspelt "requird"
// would pass everything. In an app's request it is ignored, as the standard says: the libraries
// that write those have keywords of their own, and of later drafts. Not done: `dependencies`,
// `prefixItems`, and a `$ref` that leaves the document.

#include <boost/json.hpp>
#include <cstddef>
#include <memory>

#include "base/error.h"

namespace minimill::check {

enum class Unknown {
  kRefused,  // keywords, formats and patterns that we do not know are errors
  kIgnored,  // they say nothing about the value
};

class JsonSchema {
 public:
  /// kInvalidArgument says what is wrong and where, as a JSON pointer.
  static Result<JsonSchema> parse(const boost::json::object& schema,
                                  Unknown unknown = Unknown::kRefused);

  /// The first violation, with its path; kTooLarge where the budget is spent.
  Result<> validate(const boost::json::value& value) const;

  struct Impl;

 private:
  explicit JsonSchema(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

inline constexpr std::size_t kMaxSchemaPatterns = 256;
/// A step is one schema met with one value, or one comparison; long texts cost more. The worst
/// schema we could think of takes 10 ms for these.
inline constexpr std::size_t kMaxValidationSteps = 20'000;
/// How deep a schema that refers to itself may be followed.
inline constexpr std::size_t kMaxValidationDepth = 128;

}  // namespace minimill::check
