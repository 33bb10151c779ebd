#pragma once

// 1e400 is JSON, reads as infinity, and Boost.JSON writes that as Infinity, which is no JSON: what
// holds one cannot be repeated, passed on or stored.

#include <boost/json.hpp>

namespace minimill::protocol {

/// Whether every number in `value`, at whatever depth, is finite. `value` is no deeper than base's
/// parser lets through.
bool has_finite_numbers(const boost::json::value& value);
bool has_finite_numbers(const boost::json::object& object);

}  // namespace minimill::protocol
