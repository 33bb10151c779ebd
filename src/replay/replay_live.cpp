#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <utility>

#include "lane/lanes.h"
#include "replay/replay.h"

namespace minimill::replay {
namespace {

SteadyTime::duration real(double seconds, double speed) {
  return std::chrono::duration_cast<SteadyTime::duration>(
      std::chrono::duration<double>(seconds / speed));
}

double seconds_between(SteadyTime from, SteadyTime to) {
  return std::chrono::duration<double>(to - from).count();
}

/// What all tasks of a replay share.
struct Replay {
  Replay(const asio::any_io_executor& executor, Arranged given, double how_fast)
      : arranged(std::move(given)),
        speed(how_fast),
        lanes(executor, arranged.options),
        changed(executor, SteadyTime::max()) {}

  Arranged arranged;
  double speed;
  lane::Lanes lanes;
  asio::steady_timer changed;  // cancelled whenever a task has ended
  SteadyTime began = std::chrono::steady_clock::now();
  std::vector<Served> served;
  std::size_t ended = 0;
};

lane::Job job_of(const SimulatedTask& task, double speed) {
  lane::Job job;
  job.lane = task.lane;
  job.priority = task.priority;
  job.app = task.app;
  for (std::size_t lane = 0; lane < job.in.size(); ++lane) {
    if (!task.in[lane]) continue;
    job.in[lane] =
        lane::Estimate{.service_s = task.in[lane]->predicted_s / speed, .usd = task.in[lane]->usd};
  }
  return job;
}

asio::awaitable<void> carry_out(std::shared_ptr<Replay> replay, const SimulatedTask& task) {
  const SteadyTime due = replay->began + real(task.arrives_s, replay->speed);
  asio::steady_timer timer(co_await asio::this_coro::executor, due);
  co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  lane::Job job = job_of(task, replay->speed);
  Result<lane::Slot> slot = co_await replay->lanes.enter(std::move(job));
  if (slot) {
    const SteadyTime started = std::chrono::steady_clock::now();
    const Service service = task.in[chat::index(slot->lane())].value_or(Service{});
    timer.expires_at(started + real(service.drawn_s, replay->speed));
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    const SteadyTime ended = std::chrono::steady_clock::now();
    const double speed = replay->speed;
    replay->served.push_back(
        {.arrived_s = task.arrives_s,
         .started_s = seconds_between(replay->began, started) * speed,
         .ended_s = seconds_between(replay->began, ended) * speed,
         .predicted_s = task.in[chat::index(task.lane)].value_or(Service{}).predicted_s,
         .belongs = task.lane,
         .ran = slot->lane(),
         .usd = service.usd});
  }
  ++replay->ended;
  replay->changed.cancel();
}

}  // namespace

asio::awaitable<std::vector<Served>> replay_live(Arranged arranged, double speed,
                                                 std::function<void(std::size_t ended)> on_end) {
  auto executor = co_await asio::this_coro::executor;
  // Money is not sped up: an hour of waiting there is so much less of an hour here.
  for (double& usd_per_h : arranged.options.usd_per_h) usd_per_h *= speed;
  arranged.options.max_interactive = arranged.tasks.size();
  arranged.options.max_background = arranged.tasks.size();
  const auto replay = std::make_shared<Replay>(executor, std::move(arranged), speed);
  const std::size_t tasks = replay->arranged.tasks.size();
  for (const SimulatedTask& task : replay->arranged.tasks) {
    asio::co_spawn(executor, carry_out(replay, task), asio::detached);
  }
  while (replay->ended < tasks) {
    co_await replay->changed.async_wait(asio::as_tuple(asio::use_awaitable));
    if (on_end) on_end(replay->ended);
  }
  co_return std::move(replay->served);
}

}  // namespace minimill::replay
