#pragma once

// Batches on disk: which tasks were sent through a provider's batch API together, and what became
// of each. A batch and its tasks' leases are durable before it is sent, so that after a crash it is
// known what may be at the provider; the batch's own id is the name it is found by there.
//
//   begin() → (sent) → confirm() → settle() each task → end()
//
// Writes go through the one sqlite::Writer; reads use a read-only connection of the store's own.
// Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "policy/principal.h"
#include "sqlite/writer.h"
#include "tasks/task.h"
#include "tasks/task_store.h"

namespace minimill::tasks {

namespace asio = boost::asio;

/// Its own migrations; run once by whoever opens the file, after migrate_tasks().
Result<> migrate_batches(sqlite::Database& db);

enum class BatchState {
  kSending,  // may be at the provider, or not
  kRunning,  // is there, under remote_id
  kEnded,    // every task has its answer, or was given back
  kFailed,   // every task was given back
};
std::string_view name(BatchState state);

struct Batch {
  BatchId id;
  std::string app;  // whose tasks they all are; "": the machine's owner's
  std::string provider;
  std::string model;
  BatchState state = BatchState::kSending;
  std::string remote_id;
  WallTime created{};
  std::optional<WallTime> sent;  // confirmed by the provider
  std::optional<WallTime> ended;
  bool cancel_asked = false;
  double cost_usd = 0;
  std::string error;
  std::string body_hash;  // SHA-256 of what was sent, or was about to be; empty: nothing yet

  // Its tasks, counted.
  std::int64_t waiting = 0;
  std::int64_t answered = 0;
  std::int64_t given_back = 0;
};

enum class BatchTaskState {
  kWaiting,
  kAnswered,
  kGivenBack,  // to the ordinary lanes
  kLate,       // given back, and answered all the same: paid for, not used
};
std::string_view name(BatchTaskState state);

struct BatchTask {
  RequestId request;  // the id by which the provider knows it, too
  RunId run;
  TaskId task;
  BatchTaskState state = BatchTaskState::kWaiting;
  WallTime take_back{};  // without an answer by then it is given back

  // The decision that sent it here, for the ledger.
  std::string operation;
  double p_local_ok = 0;
  double threshold = 0;
  std::string reasons;
};

json::object to_json(const Batch& batch);
json::object to_json(const BatchTask& task);

class BatchStore {
 public:
  static Result<BatchStore> open(const std::filesystem::path& path, sqlite::Writer& writer);

  /// Stores the batch and leases its tasks, all in one. Tasks that are no longer queued are left
  /// out: tasks_of() says which are in it.
  asio::awaitable<Result<>> begin(Batch batch, std::vector<BatchTask> tasks);
  /// Before a body is sent under the batch's name for the first time: from now on no other is.
  asio::awaitable<Result<>> note_body(BatchId id, std::string body_hash);
  /// The provider has it.
  asio::awaitable<Result<>> confirm(BatchId id, std::string remote_id, WallTime now);
  /// A waiting task has ended in this batch: kAnswered, or kGivenBack with `task` queued again.
  /// Stores both in one, with what it cost. Once: what is settled already is left as it is.
  asio::awaitable<Result<>> settle(TaskStore& tasks, BatchId id, RequestId request,
                                   BatchTaskState state, Task task, double cost_usd);
  /// A task that was given back was answered all the same.
  asio::awaitable<Result<>> note_late(BatchId id, RequestId request, double cost_usd);
  asio::awaitable<Result<>> end(BatchId id, BatchState state, std::string error, WallTime now);
  /// kNotFound, or kConflict where it has ended.
  asio::awaitable<Result<>> ask_cancel(BatchId id);
  /// Tasks that are leased to no open batch are queued again. For start-up.
  asio::awaitable<Result<>> requeue_strays();

  /// What is not in the scope is not there.
  Result<std::optional<Batch>> find(const BatchId& id,
                                    const policy::Scope& scope = policy::Scope::everything());
  Result<std::vector<Batch>> list(std::size_t limit, const policy::Scope& scope);  // newest first
  Result<std::vector<Batch>> open_batches();  // sending and running, oldest first
  Result<std::vector<BatchTask>> tasks_of(const BatchId& id);
  /// Was, or is, the task in any batch?
  Result<bool> has_had(const RunId& run, const TaskId& task);

 private:
  BatchStore(sqlite::Database reader, sqlite::Writer& writer);
  sqlite::Database reader_;
  sqlite::Writer* writer_;
};

}  // namespace minimill::tasks
