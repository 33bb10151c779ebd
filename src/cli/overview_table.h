#pragma once

// The overview of a span of days (GET /minimill/v1/overview) as lines for a terminal; what the page
// shows, too.

#include <boost/json.hpp>
#include <string>

namespace minimill::cli {

/// "12.40 $", "0.0210 $".
std::string usd_text(double usd);
/// "73 %"; "-" where there is none.
std::string percent_text(const boost::json::value& share);
/// "340 ms", "1.2 s".
std::string ms_text(double ms);

/// Figures in all, by day, app and operation; at most 100 wide.
std::string overview_table(const boost::json::object& overview);

}  // namespace minimill::cli
