#pragma once

// Printing a run's report: for `minimill report`, and at the end of `minimill run`.

#include <string>

#include "cli/api_client.h"

namespace minimill::cli {

/// The table, or JSON, on stdout. Returns an exit code.
int print_report(ApiClient& api, const std::string& run, bool as_json);

}  // namespace minimill::cli
