#pragma once

// One batch, from what is on disk to its end: sent or found at the provider, looked at until it has
// ended there, its answers judged, and what it did not answer given back to the ordinary lanes.
// Owned and run by the BatchRunner. Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "async/notifier.h"
#include "base/clock.h"
#include "cloud/batch_client.h"
#include "config/config.h"
#include "ledger/ledger.h"
#include "serve/backends.h"
#include "tasks/batch_store.h"
#include "tasks/task_judge.h"
#include "tasks/task_store.h"

namespace minimill::tasks {

namespace asio = boost::asio;

/// What it needs of the daemon.
struct BatchTools {
  asio::io_context& io;
  const Clock& clock;
  const config::BatchConfig& config;
  const serve::Backends& backends;
  TaskJudge& judge;
  tasks::TaskStore& tasks;
  tasks::BatchStore& batches;
  ledger::Ledger& ledger;
  /// A task is queued for the ordinary lanes.
  std::function<void(const RunId&, const TaskId&)> let_go;
};

class BatchTender {
 public:
  /// `client`: none where its provider is no longer configured. `resumed`: another daemon made the
  /// batch, and may have sent it.
  BatchTender(const BatchTools& tools, tasks::Batch batch, std::optional<cloud::BatchClient> client,
              bool resumed);

  /// Until it has ended at the provider and every task is settled; an error where it never will.
  asio::awaitable<Result<>> carry_through();
  /// Notes the end; where it failed, every task that waits is given back.
  asio::awaitable<void> close(Result<> done);
  /// Something has changed on disk: it was cancelled.
  void look_now() { wake_.notify(); }

 private:
  asio::awaitable<Result<protocol::BatchStatus>> send();
  asio::awaitable<Result<protocol::BatchStatus>> send_once(bool look);
  asio::awaitable<std::vector<cloud::BatchItem>> items();
  asio::awaitable<Result<protocol::BatchStatus>> watch();
  asio::awaitable<Result<>> finish(protocol::BatchStatus status);
  asio::awaitable<Result<>> read_and_settle(const protocol::BatchStatus& status);
  asio::awaitable<Result<>> settle(tasks::BatchTask item, Result<chat::ChatAnswer> answer);
  asio::awaitable<Result<>> give_back(tasks::BatchTask item, std::string why);
  asio::awaitable<void> give_back_all(std::string why);
  /// The tasks that still wait, after those whose time is up were given back.
  asio::awaitable<Result<std::vector<tasks::BatchTask>>> still_waiting();
  double record(const tasks::BatchTask& item, const tasks::Task& task,
                const chat::ChatAnswer& answer, std::string error);

  const BatchTools& tools_;
  tasks::Batch batch_;  // as it was found
  std::optional<cloud::BatchClient> client_;
  bool resumed_;
  async::Notifier wake_;
};

}  // namespace minimill::tasks
