#include "replay/timeline.h"

#include <algorithm>
#include <cmath>

namespace minimill::replay {

Timeline timeline_of(const std::vector<Served>& served, std::size_t steps) {
  Timeline timeline;
  if (served.empty()) return timeline;
  steps = std::max<std::size_t>(steps, 1);
  double first = served.front().arrived_s;
  double last = served.front().ended_s;
  for (const Served& each : served) {
    first = std::min(first, each.arrived_s);
    last = std::max(last, each.ended_s);
  }
  constexpr double kShortest_s = 1e-6;
  timeline.step_s = std::max(last - first, kShortest_s) / static_cast<double>(steps);
  const auto step_at = [&](double at_s) {
    const double step = std::floor((at_s - first) / timeline.step_s);
    return std::min(static_cast<std::size_t>(std::max(step, 0.0)), steps - 1);
  };
  timeline.queue_age_s.resize(steps);
  for (std::vector<double>& lane : timeline.running) lane.resize(steps);
  std::vector<double> arrived(steps);
  for (const Served& each : served) {
    const std::size_t came = step_at(each.arrived_s);
    timeline.queue_age_s[came] += each.age_s();
    arrived[came] += 1;
    std::vector<double>& lane = timeline.running[chat::index(each.ran)];
    for (std::size_t step = step_at(each.started_s); step <= step_at(each.ended_s); ++step) {
      const double from = first + static_cast<double>(step) * timeline.step_s;
      const double busy =
          std::min(each.ended_s, from + timeline.step_s) - std::max(each.started_s, from);
      lane[step] += std::max(busy, 0.0) / timeline.step_s;
    }
  }
  for (std::size_t step = 0; step < steps; ++step) {
    if (arrived[step] > 0) timeline.queue_age_s[step] /= arrived[step];
  }
  return timeline;
}

}  // namespace minimill::replay
