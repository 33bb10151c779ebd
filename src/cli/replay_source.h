#pragma once

// Where a replay's tasks have their lanes and times from: a run that was carried out, or times that
// are given and lanes that the router decides.

#include <optional>
#include <string>
#include <vector>

#include "cli/api_client.h"
#include "config/config.h"
#include "replay/replay.h"
#include "tasks/task.h"

namespace minimill::cli {

/// Mean times by kind of task; what is drawn around them is exponential, or nothing.
struct GivenTimes {
  double local_s = 7.4;  // easy work on the device
  double cloud_s = 43;   // the same in the cloud
  double hard_s = 60;
  bool exponential = true;
  std::uint64_t seed = 1;
};

/// "local=7.4,cloud=43,hard=60,spread=none,seed=7": any of these.
Result<GivenTimes> parse_given_times(std::string_view text);

/// The newest run of a file of that name; nullopt where it was never run.
Result<std::optional<std::string>> newest_run_of(ApiClient& api, std::string_view name);

/// As they were measured in `run`; those that it has not carried out are left out.
Result<std::vector<replay::ReplayTask>> measured_tasks(ApiClient& api, const std::string& run,
                                                       const std::vector<tasks::TaskSpec>& tasks);

/// Lanes as the router would decide now, had it both: easy is what reaches the bar of `router`.
Result<std::vector<replay::ReplayTask>> given_tasks(ApiClient& api, const GivenTimes& times,
                                                    const config::RouterConfig& router,
                                                    const std::vector<tasks::TaskSpec>& tasks);

}  // namespace minimill::cli
