#include "check/json_equal.h"

#include <algorithm>
#include <cmath>

#include "check/trimmed.h"

namespace minimill::check {

namespace json = boost::json;

bool same_number(double a, double b) {
  constexpr double kRelative = 1e-9;
  return std::abs(a - b) <= kRelative * std::max({1.0, std::abs(a), std::abs(b)});
}

bool json_equal(const json::value& a, const json::value& b, StringMatch strings) {
  if (a.is_number() && b.is_number()) {
    // Two integers are compared as such: a double holds only 53 bits of an id.
    if (!a.is_double() && !b.is_double()) return a == b;
    return same_number(a.to_number<double>(), b.to_number<double>());
  }
  if (a.kind() != b.kind()) return false;
  if (a.is_string() && strings == StringMatch::kTrimmed) {
    return trimmed(a.get_string()) == trimmed(b.get_string());
  }
  if (a.is_array()) {
    return std::ranges::equal(a.get_array(), b.get_array(),
                              [strings](const json::value& left, const json::value& right) {
                                return json_equal(left, right, strings);
                              });
  }
  if (a.is_object()) {
    if (a.get_object().size() != b.get_object().size()) return false;
    return std::ranges::all_of(a.get_object(), [&](const json::key_value_pair& field) {
      const json::value* other = b.get_object().if_contains(field.key());
      return other != nullptr && json_equal(field.value(), *other, strings);
    });
  }
  return a == b;
}

}  // namespace minimill::check
