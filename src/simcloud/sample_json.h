#pragma once

// A smallest value that fits a JSON Schema: what the simulated cloud answers where structure is
// asked.

#include <boost/json.hpp>

namespace minimill::simcloud {

boost::json::value sample_of(const boost::json::value& schema);

}  // namespace minimill::simcloud
