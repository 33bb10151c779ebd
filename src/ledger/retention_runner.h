#pragma once

// Prunes now and then, in steps on the writer's thread, each of few rows and followed by a pause of
// several times as long as it took: whoever else writes waits for one step at most, and has the
// writer for most of the time. Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <map>
#include <string>
#include <vector>

#include "async/notifier.h"
#include "async/task_set.h"
#include "base/clock.h"
#include "ledger/retention.h"
#include "sqlite/writer.h"

namespace minimill::ledger {

namespace asio = boost::asio;

class RetentionRunner {
 public:
  static constexpr std::chrono::hours kInterval{1};
  static constexpr int kPauseFactor = 4;  // of a step's time
  static constexpr Millis kLeastPause{10};

  RetentionRunner(asio::io_context& io, const Clock& clock, RetentionOptions options,
                  std::vector<Prunable> kinds, sqlite::Writer& writer);

  void start();
  asio::awaitable<void> stop() { return work_.stop(); }

  /// Rows by kind.
  using Pruned = std::map<std::string, std::int64_t, std::less<>>;
  /// All that is to go by these options, now; what went until then is in `done` where it fails.
  asio::awaitable<Result<>> prune(RetentionOptions options, Pruned& done);

  const RetentionOptions& options() const { return options_; }
  const std::vector<Prunable>& kinds() const { return kinds_; }

 private:
  asio::awaitable<void> loop();

  asio::io_context& io_;
  const Clock& clock_;
  RetentionOptions options_;
  std::vector<Prunable> kinds_;
  sqlite::Writer& writer_;
  async::Notifier wake_;
  async::TaskSet work_;
};

}  // namespace minimill::ledger
