#pragma once

// One batch, from what is on disk to its end: sent or found at the provider, looked at until it has
// ended there, its answers judged, and what it did not answer given back to the ordinary lanes.
// Owned and run by the BatchRunner. Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "async/notifier.h"
#include "base/clock.h"
#include "cloud/batch_client.h"
#include "cloud/price_table.h"
#include "config/config.h"
#include "policy/budgets.h"
#include "policy/request.h"
#include "serve/observer.h"
#include "tasks/batch_store.h"
#include "tasks/task_store.h"

namespace minimill::tasks {

namespace asio = boost::asio;

/// What it needs of the daemon.
struct BatchTools {
  asio::io_context& io;
  const Clock& clock;
  const config::BatchConfig& config;
  const cloud::PriceTable& prices;
  TaskStore& tasks;
  BatchStore& batches;
  const serve::Observers& observers;
  /// What a task asks the cloud, as a batch.
  std::function<policy::Request(const Task&)> request_of;
  /// What that is expected to cost, counted as spent while it is out.
  std::function<policy::Budgets::Hold(const policy::Request&, const std::string& operation)>
      reserve;
  /// What becomes of it by the cloud's answer.
  std::function<void(Task&, const chat::ChatAnswer&)> judge;
  /// What the tokens would have cost in the cloud's ordinary lane.
  std::function<double(const chat::Usage&)> all_cloud_cost_usd;
  /// A task is queued for the ordinary lanes.
  std::function<void(const RunId&, const TaskId&)> let_go;
};

class BatchTender {
 public:
  /// `client`: none where its provider is no longer configured. `resumed`: another daemon made the
  /// batch, and may have sent it.
  BatchTender(const BatchTools& tools, Batch batch, std::unique_ptr<cloud::BatchApi> client,
              bool resumed);

  /// Until it has ended at the provider and every task is settled; an error where it never will.
  /// While what is on disk cannot be read, nothing is sent, given back or ended.
  asio::awaitable<Result<>> carry_through();
  /// Notes the end; where it failed, every task that waits is given back.
  asio::awaitable<void> close(Result<> done);
  /// Something has changed on disk: it was cancelled.
  void look_now() { wake_.notify(); }

 private:
  asio::awaitable<Result<protocol::BatchStatus>> send();
  asio::awaitable<Result<protocol::BatchStatus>> send_once(std::vector<cloud::BatchItem> all,
                                                           bool look);
  asio::awaitable<Result<>> note_body(std::string hash);
  asio::awaitable<Result<std::vector<cloud::BatchItem>>> items();
  asio::awaitable<Result<protocol::BatchStatus>> watch();
  asio::awaitable<Result<>> finish(protocol::BatchStatus status);
  asio::awaitable<Result<cloud::BatchAnswers>> read_results(protocol::BatchStatus status);
  asio::awaitable<Result<>> settle_all(const cloud::BatchAnswers& answers);
  asio::awaitable<Result<>> settle(BatchTask item, Result<chat::ChatAnswer> answer);
  asio::awaitable<Result<>> give_back(BatchTask item, std::string why);
  asio::awaitable<Result<>> give_back_all(std::string why);
  /// The tasks that still wait, after those whose time is up were given back.
  asio::awaitable<Result<std::vector<BatchTask>>> still_waiting();
  /// Counts as spent what is expected of a task that is out.
  Result<> reserve(const BatchTask& item);
  asio::awaitable<void> wait_for_disk(const Error& error);
  double record(const BatchTask& item, const Task& task, const chat::ChatAnswer& answer,
                std::string error);

  const BatchTools& tools_;
  Batch batch_;  // as it was found
  std::unique_ptr<cloud::BatchApi> client_;
  bool resumed_;
  std::map<std::string, policy::Budgets::Hold> reserved_;  // by request, for what is out
  async::Notifier wake_;
};

}  // namespace minimill::tasks
