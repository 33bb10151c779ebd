#include "ledger/retention_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <utility>

#include "base/log.h"

namespace minimill::ledger {
namespace {

/// What a step leaves for the event loop.
struct Outcome {
  PruneStep step;
  bool shrinking = false;
};

sqlite::Writer::Job step_job(const std::vector<Prunable>& kinds, RetentionOptions options,
                             WallTime now, std::shared_ptr<Outcome> outcome) {
  return [kinds, options, now, outcome = std::move(outcome)](sqlite::Database& db) -> Result<> {
    Result<PruneStep> step = prune_step(db, kinds, options, now, outcome->shrinking);
    if (!step) return std::unexpected(std::move(step.error()));
    outcome->step = *step;
    return {};
  };
}

}  // namespace

RetentionRunner::RetentionRunner(asio::io_context& io, const Clock& clock, RetentionOptions options,
                                 std::vector<Prunable> kinds, sqlite::Writer& writer)
    : io_(io),
      clock_(clock),
      options_(options),
      kinds_(std::move(kinds)),
      writer_(writer),
      wake_(io.get_executor()),
      work_(io, "pruning the database") {}

void RetentionRunner::start() { work_.start(loop()); }

asio::awaitable<void> RetentionRunner::loop() {
  while (!work_.stopping()) {
    Pruned done;
    const Result<> pruned = co_await prune(options_, done);
    for (const auto& [kind, rows] : done) log::info("pruned {} {}", rows, kind);
    if (!pruned) log::error("pruning: {}", pruned.error().to_string());
    co_await wake_.wait_until(clock_.steady() + kInterval);
  }
}

asio::awaitable<Result<>> RetentionRunner::prune(RetentionOptions options, Pruned& done) {
  auto outcome = std::make_shared<Outcome>();
  asio::steady_timer pause(io_);
  do {
    const SteadyTime began = clock_.steady();
    sqlite::Writer::Job job = step_job(kinds_, options, clock_.wall(), outcome);
    Result<> stepped = co_await writer_.run(std::move(job));
    if (!stepped) co_return stepped;
    const PruneStep& step = outcome->step;
    if (step.rows > 0) done[std::string(step.kind)] += step.rows;
    const auto took = std::chrono::duration_cast<Millis>(clock_.steady() - began);
    pause.expires_after(std::max(kLeastPause, kPauseFactor * took));
    co_await pause.async_wait(asio::use_awaitable);
  } while (outcome->step.more && !work_.stopping());
  co_return Result<>{};
}

}  // namespace minimill::ledger
