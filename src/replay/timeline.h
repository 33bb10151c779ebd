#pragma once

// How queues and lanes fared over time, and a picture of it.

#include <string>
#include <string_view>
#include <vector>

#include "replay/simulate.h"

namespace minimill::replay {

/// Equal steps of time from the first arrival to the last end.
struct Timeline {
  double step_s = 0;
  std::vector<double> queue_age_s;  // mean over the tasks that arrived in the step; 0: none did
  lane::PerLane<std::vector<double>> running;  // mean number of tasks in service
};

/// At most `steps` of them, at least one.
Timeline timeline_of(const std::vector<Served>& served, std::size_t steps);

struct NamedTimeline {
  std::string name;
  Timeline timeline;
};
/// A picture for a browser (SVG 1.1, 900 by 560): queue age over time of all that were compared,
/// and under it the lanes of the last one.
std::string to_svg(std::string_view title, const std::vector<NamedTimeline>& compared);

}  // namespace minimill::replay
