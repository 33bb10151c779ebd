#pragma once

// Looks every few seconds whether the system's clock has jumped, and moves what waits along with
// it: the daemon's own time goes on evenly (base/even_clock.h), and no delay becomes longer or
// shorter. Event-loop thread only.

#include <functional>

#include "async/task_set.h"
#include "base/even_clock.h"
#include "tasks/task_store.h"

namespace minimill::tasks {

class ClockWatch {
 public:
  static constexpr std::chrono::seconds kLookEvery{5};

  /// `moved` is called once the store's times have been moved.
  ClockWatch(asio::io_context& io, EvenClock& clock, tasks::TaskStore& store,
             std::function<void()> moved);

  void start();
  asio::awaitable<void> stop();
  /// One look.
  asio::awaitable<void> look();

 private:
  asio::awaitable<void> watch();

  EvenClock& clock_;
  tasks::TaskStore& store_;
  std::function<void()> moved_;
  async::Notifier tick_;
  async::TaskSet loops_;
};

}  // namespace minimill::tasks
