#pragma once

// A request in one line of JSON, for lists and live events, and the query that lists are asked by.

#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/ledger.h"

namespace minimill::api {

inline constexpr std::size_t kShownTitle = 160;  // bytes of a task's

/// `outcomes` as far as they are known: of a request that has just ended, none.
boost::json::object request_summary_json(const ledger::RequestRecord& record,
                                         const std::vector<ledger::Outcome>& outcomes);

/// Of the query string of GET /minimill/v1/requests; kInvalidArgument names the field.
Result<ledger::RequestFilter> read_request_filter(std::string_view query);
/// What "after" takes.
std::string cursor_text(const ledger::RequestCursor& cursor);

}  // namespace minimill::api
