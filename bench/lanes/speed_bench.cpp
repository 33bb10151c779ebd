// What scheduling itself costs: decisions with 100,000 tasks queued, and how long a task takes to
// be durable (`make bench-lanes`).

#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <random>
#include <vector>

#include "lane/scheduler.h"
#include "sqlite/writer.h"
#include "tasks/task_store.h"

namespace {

using namespace minimill;

lane::Job random_job(std::minstd_rand& random, int apps) {
  lane::Job job;
  const double service_s = 1 + static_cast<double>(random() % 600) / 10;
  job.lane = random() % 5 == 0 ? chat::Lane::kCloud : chat::Lane::kLocal;
  job.in[static_cast<std::size_t>(chat::index(job.lane))] = lane::Estimate{.service_s = service_s};
  if (job.lane == chat::Lane::kLocal)
    job.in[1] = lane::Estimate{.service_s = 6 * service_s, .usd = 0.002};
  job.app = "app" + std::to_string(random() % static_cast<unsigned>(apps));
  if (random() % 10 == 0) job.deadline_s = 1e6 + static_cast<double>(random() % 1'000'000);
  return job;
}

/// One decision: a task comes, the next is chosen and started, and one that ran has ended.
void BM_Decision(benchmark::State& state) {
  const auto queued = static_cast<lane::TicketId>(state.range(0));
  std::minstd_rand random(1);
  lane::Scheduler scheduler({.slots = {8, 8}});
  lane::TicketId next = 0;
  double now_s = 0;
  std::vector<lane::Job> jobs;
  for (int i = 0; i < 4096; ++i)
    jobs.push_back(random_job(random, static_cast<int>(state.range(1))));
  while (next < queued) {
    (void)scheduler.enqueue(next, jobs[next % jobs.size()], now_s);
    ++next;
  }
  std::vector<lane::TicketId> running;
  for (const chat::Lane lane : {chat::Lane::kLocal, chat::Lane::kCloud}) {
    while (const auto start = scheduler.start_next(lane, now_s)) running.push_back(start->ticket);
  }
  std::size_t ended = 0;
  for (auto _ : state) {
    now_s += 0.01;
    (void)scheduler.enqueue(next, jobs[next % jobs.size()], now_s);
    ++next;
    scheduler.finish(running[ended], now_s);
    auto start = scheduler.start_next(chat::Lane::kLocal, now_s);
    if (!start) start = scheduler.start_next(chat::Lane::kCloud, now_s);
    if (start) running[ended] = start->ticket;
    ended = (ended + 1) % running.size();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_Decision)
    ->ArgNames({"queued", "apps"})
    ->Args({1000, 4})
    ->Args({100'000, 1})
    ->Args({100'000, 50});

/// Sixteen apps submit a task at once and wait until each is on disk (fsync); the slowest of a
/// hundred groups' tasks.
void BM_DurableEnqueue(benchmark::State& state) {
  const auto group = static_cast<int>(state.range(0));
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("lanes_speed_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::filesystem::path path = folder / "tasks.db";
  {
    auto db = sqlite::Database::open(path, sqlite::Database::Mode::kReadWrite);
    if (!db || !tasks::migrate_tasks(*db)) {
      state.SkipWithError("the database cannot be opened");
      return;
    }
    sqlite::Writer writer(std::move(*db));
    auto store = tasks::TaskStore::open(path, writer);
    std::vector<double> took_ms;
    std::int64_t number = 0;
    boost::asio::io_context io;
    const auto submit = [&]() -> boost::asio::awaitable<void> {
      tasks::RunInfo run;
      run.id = {"bench"};
      run.name = "bench";
      std::vector<tasks::Submission> tasks(1);
      tasks[0].spec.id = {std::to_string(number++)};
      tasks[0].spec.title = "Sort this mail";
      tasks[0].spec.notes = std::string(400, 'x');
      const auto began = std::chrono::steady_clock::now();
      Result<> saved = co_await store->submit(std::move(run), std::move(tasks));
      if (!saved) state.SkipWithError(saved.error().message.c_str());
      const std::chrono::duration<double, std::milli> took =
          std::chrono::steady_clock::now() - began;
      took_ms.push_back(took.count());
    };
    for (auto _ : state) {
      for (int i = 0; i < group; ++i) boost::asio::co_spawn(io, submit(), boost::asio::detached);
      io.restart();
      io.run();
    }
    std::ranges::sort(took_ms);
    const auto at = [&](double p) {
      return took_ms[static_cast<std::size_t>(p * static_cast<double>(took_ms.size() - 1))];
    };
    state.counters["p50_ms"] = at(0.5);
    state.counters["p99_ms"] = at(0.99);
    state.SetItemsProcessed(state.iterations() * group);
  }
  std::filesystem::remove_all(folder);
}
BENCHMARK(BM_DurableEnqueue)->ArgName("group")->Arg(1)->Arg(16)->Iterations(500)->UseRealTime();

}  // namespace
