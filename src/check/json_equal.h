#pragma once

// When two JSON values say the same.

#include <boost/json.hpp>

namespace minimill::check {

enum class StringMatch { kExact, kTrimmed };  // kTrimmed: outer white space ignored

/// Numbers are equal by value (1 and 1.0), objects whatever the order of their fields.
bool json_equal(const boost::json::value& a, const boost::json::value& b,
                StringMatch strings = StringMatch::kExact);

/// Equal up to what decimal fractions lose as doubles.
bool same_number(double a, double b);

}  // namespace minimill::check
