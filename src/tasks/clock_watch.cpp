#include "tasks/clock_watch.h"

#include <utility>

#include "base/log.h"

namespace minimill::tasks {

ClockWatch::ClockWatch(asio::io_context& io, EvenClock& clock, tasks::TaskStore& store,
                       std::function<void()> moved)
    : clock_(clock),
      store_(store),
      moved_(std::move(moved)),
      tick_(io.get_executor()),
      loops_(io, "the clock's watch") {}

void ClockWatch::start() { loops_.start(watch()); }

asio::awaitable<void> ClockWatch::stop() { co_await loops_.stop(); }

asio::awaitable<void> ClockWatch::watch() {
  while (!loops_.stopping()) {
    co_await tick_.wait_until(clock_.steady() + kLookEvery);
    if (!loops_.stopping()) co_await look();
  }
}

asio::awaitable<void> ClockWatch::look() {
  const Millis jump = clock_.catch_up();
  if (jump == Millis{0}) co_return;
  log::warn("the system's clock jumped by {} s; what waits is moved along with it",
            in_ms(jump) / 1000);
  // In the turn in which the clock moved: whatever is written from now on is of the new count.
  Result<> shifted = co_await store_.shift(jump);
  if (!shifted) log::error("tasks' times were not moved: {}", shifted.error().to_string());
  moved_();
}

}  // namespace minimill::tasks
