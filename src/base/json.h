#pragma once

// Reading JSON that somebody else wrote: bounded, and with errors that name the field.
//
//   Result<json::object> body = parse_json_object(text);
//   Fields fields(*body);                      // remembers the first error
//   std::string model = fields.required_string("model");
//   double t = fields.number_or("temperature", 1.0, 0.0, 2.0);
//   if (!fields.ok()) return std::unexpected(fields.error());

#include <boost/json.hpp>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill {

namespace json = boost::json;

/// Nesting that no honest document reaches; bounds the parser's and our own recursion.
inline constexpr std::size_t kMaxJsonDepth = 64;

/// Parses exactly one JSON value. kInvalidArgument says where the text stops being JSON. 1e400 is
/// refused too: it would read as infinity and be written on as what is no JSON.
Result<json::value> parse_json(std::string_view text, json::storage_ptr storage = {});
Result<json::object> parse_json_object(std::string_view text, json::storage_ptr storage = {});

/// A string in quotes with everything escaped that JSON wants escaped, appended to `out`.
void append_json_string(std::string& out, std::string_view text);

/// Typed access to an object's fields; the first thing wrong is kept as the error, naming
/// `prefix` + field. After an error every getter returns its default, so callers check once.
class Fields {
 public:
  explicit Fields(const json::object& object, std::string prefix = {});

  std::string required_string(std::string_view key);
  std::string string_or(std::string_view key, std::string_view otherwise);
  std::optional<std::string> optional_string(std::string_view key);
  double number_or(std::string_view key, double otherwise,
                   double min = std::numeric_limits<double>::lowest(),
                   double max = std::numeric_limits<double>::max());
  std::optional<double> optional_number(std::string_view key,
                                        double min = std::numeric_limits<double>::lowest(),
                                        double max = std::numeric_limits<double>::max());
  std::optional<std::int64_t> optional_integer(
      std::string_view key, std::int64_t min = std::numeric_limits<std::int64_t>::min(),
      std::int64_t max = std::numeric_limits<std::int64_t>::max());
  bool bool_or(std::string_view key, bool otherwise);
  /// nullptr where the field is absent or null.
  const json::array* optional_array(std::string_view key);
  const json::object* optional_object(std::string_view key);
  /// The value whatever its type; nullptr where absent or null.
  const json::value* find(std::string_view key) const;

  /// Reports an error at `key` unless one was reported before.
  void reject(std::string_view key, std::string message, std::string hint = {});
  std::string path(std::string_view key) const { return prefix_ + std::string(key); }

  bool ok() const { return !error_; }
  Error error() && { return std::move(*error_); }
  const Error& error() const& { return *error_; }

 private:
  const json::object& object_;
  std::string prefix_;
  std::optional<Error> error_;
};

}  // namespace minimill
