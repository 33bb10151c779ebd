#include "support/published_world.h"

#include <random>

namespace minimill::test {

std::vector<replay::SimulatedTask> published_tasks(const PublishedWorld& world) {
  constexpr double kHour = 3600;
  std::mt19937_64 random(world.seed);
  std::exponential_distribution<double> between(world.tasks_per_h / kHour);
  std::exponential_distribution<double> size(1);
  std::bernoulli_distribution is_easy(world.share_easy);
  std::vector<replay::SimulatedTask> tasks(static_cast<std::size_t>(world.tasks));
  double at_s = 0;
  for (replay::SimulatedTask& task : tasks) {
    at_s += between(random);
    task.arrives_s = at_s;
    // Everything is somebody's request: no slot is kept for another kind of work.
    task.priority = lane::Priority::kInteractive;
    // A task that is long is long wherever it runs.
    const double drawn = size(random);
    const auto service = [drawn](double mean_s, double usd) {
      return replay::Service{.drawn_s = mean_s * drawn, .predicted_s = mean_s, .usd = usd};
    };
    if (is_easy(random)) {
      task.lane = chat::Lane::kLocal;
      task.in = {service(world.easy_local_s, 0), service(world.easy_cloud_s, world.easy_usd)};
    } else {
      task.lane = chat::Lane::kCloud;
      task.in = {std::nullopt, service(world.hard_s, world.hard_usd)};
    }
  }
  return tasks;
}

}  // namespace minimill::test
