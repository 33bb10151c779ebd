#pragma once

// What is on disk, opened: the folder, held by this daemon alone, and everything that is read from
// it, each by a connection of its own. Whatever cannot be opened is told before anything is built.

#include <filesystem>
#include <memory>

#include "base/even_clock.h"
#include "config/data_folder.h"
#include "daemon/daemon.h"
#include "ledger/ledger.h"
#include "policy/app_store.h"
#include "responses/response_store.h"
#include "sqlite/writer.h"
#include "tasks/batch_store.h"
#include "tasks/outbox.h"
#include "tasks/task_store.h"

namespace minimill::daemon {

/// One clock for all, that no jump of the system's makes unsteady.
struct Clocks {
  explicit Clocks(const Clock* given) : even(given != nullptr ? *given : system) {}
  SystemClock system;
  EvenClock even;
};

/// Each by a connection of its own.
struct Readers {
  ledger::Ledger ledger;  // event loop
  tasks::TaskStore tasks;
  tasks::BatchStore batches;
  ledger::Ledger offload_ledger;  // offload thread
  tasks::TaskStore offload_tasks;
  tasks::BatchStore offload_batches;
  responses::ResponseStore responses;  // event loop; a file of its own
  tasks::Outbox outbox;                // event loop
  tasks::Outbox offload_outbox;
  sqlite::Database offload_database;
};

struct Stores {
  std::unique_ptr<Clocks> clocks;
  config::DataFolder folder;
  policy::AppStore apps;
  std::filesystem::path sockets;  // where Unix sockets are
  std::unique_ptr<sqlite::Writer> writer;
  Readers readers;

  static Result<Stores> open(const DaemonOptions& options);
};

}  // namespace minimill::daemon
