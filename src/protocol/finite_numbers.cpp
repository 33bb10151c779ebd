#include "protocol/finite_numbers.h"

#include <algorithm>
#include <cmath>

namespace minimill::protocol {
namespace json = boost::json;

bool has_finite_numbers(const json::value& value) {
  if (const double* number = value.if_double()) return std::isfinite(*number);
  if (const json::object* object = value.if_object()) return has_finite_numbers(*object);
  const json::array* array = value.if_array();
  return array == nullptr || std::ranges::all_of(*array, [](const json::value& each) {
           return has_finite_numbers(each);
         });
}

bool has_finite_numbers(const json::object& object) {
  return std::ranges::all_of(
      object, [](const json::key_value_pair& pair) { return has_finite_numbers(pair.value()); });
}

}  // namespace minimill::protocol
