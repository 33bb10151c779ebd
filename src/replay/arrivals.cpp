#include "replay/arrivals.h"

#include <algorithm>
#include <map>

namespace minimill::replay {
namespace {

constexpr double kBetweenDays_s = 60;

}  // namespace

std::vector<double> arrival_seconds(const std::vector<tasks::TaskSpec>& tasks) {
  std::map<int, double> last_of_day;
  for (const tasks::TaskSpec& task : tasks) {
    double& last = last_of_day[task.day];
    last = std::max(last, task.arrives_s);
  }
  std::map<int, double> base_of_day;
  double base = 0;
  for (const auto& [day, last] : last_of_day) {
    base_of_day[day] = base;
    base += last + kBetweenDays_s;
  }
  std::vector<double> arrivals;
  arrivals.reserve(tasks.size());
  for (const tasks::TaskSpec& task : tasks)
    arrivals.push_back(base_of_day[task.day] + task.arrives_s);
  return arrivals;
}

}  // namespace minimill::replay
