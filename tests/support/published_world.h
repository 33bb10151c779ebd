#pragma once

// The world of the published case, as a model fitted to its four numbers: tasks arrive at random
// (Poisson); 78 % are easy and take 43 s in the cloud or 7.4 s on the device, the rest take 60 s in
// the cloud, all exponentially distributed. With one worker, one queue at 46.6 tasks/h gives a mean
// duration of 47 s and a queue age of 73 s; two lanes of one worker each at 58.2 tasks/h give
// 19 s and 4 s. (There, durations are of the work itself, without waiting.)

#include <cstdint>
#include <vector>

#include "replay/simulate.h"

namespace minimill::test {

struct PublishedWorld {
  double tasks_per_h = 58.2;
  int tasks = 100'000;
  std::uint64_t seed = 1;
  double share_easy = 0.78;
  double easy_local_s = 7.4;
  double easy_cloud_s = 43;
  double hard_s = 60;
  double easy_usd = 0.002;  // in the cloud
  double hard_usd = 0.01;
};

/// Easy tasks belong in the local lane and may go to the cloud; hard ones belong there. What the
/// scheduler is told is the mean of each kind.
std::vector<replay::SimulatedTask> published_tasks(const PublishedWorld& world);

}  // namespace minimill::test
