#pragma once

// Work that was measured, or is imagined, made ready to be carried out again in another
// arrangement: under simulated time by simulate(), or in real time, faster, by replay_live().

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "replay/arrangement.h"

namespace minimill::replay {

namespace asio = boost::asio;

struct ReplayTask {
  double arrives_s = 0;
  std::string operation;
  chat::Lane lane = chat::Lane::kLocal;         // where it belongs
  lane::PerLane<std::optional<double>> took_s;  // where it ran; in `lane` at least
  double usd = 0;                               // in the cloud
  bool may_move = true;                         // local work that may go out
};

/// The scheduler is told of a task what could be known when it came: the mean of the earlier ones
/// of its operation in that lane, or of the lane. Where a task never ran in the cloud, its time
/// there is its local one times the ratio of the lanes' means, and its price the mean of those that
/// did. In the order of arrival.
std::vector<SimulatedTask> with_predictions(std::vector<ReplayTask> tasks);

/// Carries them out in real time, `speed` times faster, by the very queue that the daemon uses; a
/// task in service only waits. `on_end` is called after each.
asio::awaitable<std::vector<Served>> replay_live(Arranged arranged, double speed,
                                                 std::function<void(std::size_t ended)> on_end);

}  // namespace minimill::replay
