#include "replay/replay.h"

#include <algorithm>
#include <map>
#include <utility>

namespace minimill::replay {
namespace {

using chat::Lane;

constexpr double kUnknown_s = 10;  // before anything has been seen

struct Mean {
  double sum = 0;
  double count = 0;
  void add(double value) {
    sum += value;
    count += 1;
  }
  double or_else(double otherwise) const { return count > 0 ? sum / count : otherwise; }
};

/// Means of what came earlier.
class Past {
 public:
  double predict(Lane lane, const std::string& operation) const {
    const double usual = lanes_[chat::index(lane)].or_else(kUnknown_s);
    const auto own = operations_.find({lane, operation});
    return own == operations_.end() ? usual : own->second.or_else(usual);
  }
  void add(Lane lane, const std::string& operation, double seconds) {
    lanes_[chat::index(lane)].add(seconds);
    operations_[{lane, operation}].add(seconds);
  }

 private:
  lane::PerLane<Mean> lanes_;
  std::map<std::pair<Lane, std::string>, Mean> operations_;
};

}  // namespace

std::vector<SimulatedTask> with_predictions(std::vector<ReplayTask> tasks) {
  std::ranges::stable_sort(tasks, {}, &ReplayTask::arrives_s);
  lane::PerLane<Mean> means;
  Mean price;
  for (const ReplayTask& task : tasks) {
    for (const Lane lane : {Lane::kLocal, Lane::kCloud}) {
      if (const auto& took_s = task.took_s[chat::index(lane)])
        means[chat::index(lane)].add(*took_s);
    }
    if (task.usd > 0) price.add(task.usd);
  }
  const double ratio = means[1].or_else(1) / std::max(means[0].or_else(1), 1e-9);
  Past past;
  std::vector<SimulatedTask> simulated;
  for (const ReplayTask& task : tasks) {
    SimulatedTask& each = simulated.emplace_back();
    each.arrives_s = task.arrives_s;
    each.lane = task.lane;
    each.priority = lane::Priority::kInteractive;  // no slot is kept for other work: there is none
    lane::PerLane<std::optional<double>> took_s = task.took_s;
    if (task.lane == Lane::kLocal && task.may_move && !took_s[1] && took_s[0]) {
      took_s[1] = *took_s[0] * ratio;
    }
    if (task.lane == Lane::kCloud) took_s[0].reset();  // hard work stays where it belongs
    for (const Lane lane : {Lane::kLocal, Lane::kCloud}) {
      const auto index = static_cast<std::size_t>(chat::index(lane));
      if (!took_s[index]) continue;
      const double usd = task.usd > 0 ? task.usd : price.or_else(0);
      each.in[index] = Service{.drawn_s = *took_s[index],
                               .predicted_s = past.predict(lane, task.operation),
                               .usd = lane == Lane::kCloud ? usd : 0};
      past.add(lane, task.operation, *took_s[index]);
    }
  }
  return simulated;
}

}  // namespace minimill::replay
