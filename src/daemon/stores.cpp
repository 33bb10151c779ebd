#include "daemon/stores.h"

#include <fmt/format.h>

#include <fstream>
#include <utility>

#include "base/log.h"
#include "daemon/room_options.h"
#include "ledger/retention.h"

namespace minimill::daemon {
namespace {

/// The main database holds acknowledged tasks. One that was there and is empty now, or gone, lost
/// them: that is for its owner to know. `minimill.db.made` says that there was one.
Result<> check_not_lost(const std::filesystem::path& path) {
  const std::filesystem::path made = path.string() + ".made";
  std::error_code ec;
  const auto size = std::filesystem::file_size(path, ec);
  const bool there = !ec && size > 0;
  const auto log_size = std::filesystem::file_size(path.string() + "-wal", ec);
  const bool in_log = !ec && log_size > 0;
  if (!there && !in_log && std::filesystem::exists(made, ec)) {
    return fail(ErrorCode::kCorrupt,
                fmt::format("{} is empty or gone, and with it the tasks that were kept in it",
                            path.string()),
                fmt::format("put back a copy of it, or remove {} to start anew", made.string()));
  }
  if (!std::filesystem::exists(made, ec)) std::ofstream(made) << "minimill.db was made here\n";
  return {};
}

Result<std::unique_ptr<sqlite::Writer>> open_writer(const std::filesystem::path& path) {
  if (Result<> kept = check_not_lost(path); !kept) return std::unexpected(std::move(kept.error()));
  Result<sqlite::Database> db = sqlite::Database::open(path, sqlite::Database::Mode::kReadWrite);
  if (!db) return std::unexpected(std::move(db.error()));
  if (Result<> migrated = ledger::migrate_ledger(*db); !migrated) {
    return std::unexpected(std::move(migrated.error()));
  }
  if (Result<> migrated = tasks::migrate_tasks(*db); !migrated) {
    return std::unexpected(std::move(migrated.error()));
  }
  if (Result<> migrated = tasks::migrate_batches(*db); !migrated) {
    return std::unexpected(std::move(migrated.error()));
  }
  if (Result<> prepared = ledger::prepare_to_shrink(*db); !prepared) {
    return std::unexpected(std::move(prepared.error()));
  }
  return std::make_unique<sqlite::Writer>(std::move(*db));
}

/// Conversations are kept for convenience, thirty days at most: a damaged file of them is set aside
/// and stops nobody.
Result<responses::ResponseStore> open_responses(const std::filesystem::path& path,
                                                const Clock& clock) {
  Result<responses::ResponseStore> opened = responses::ResponseStore::open(path, clock);
  if (opened || opened.error().code != ErrorCode::kCorrupt) return opened;
  const std::filesystem::path aside = path.string() + ".damaged";
  std::error_code ec;
  std::filesystem::rename(path, aside, ec);
  if (ec) return opened;
  for (const char* companion : {"-wal", "-shm"}) {
    std::filesystem::remove(path.string() + companion, ec);
  }
  log::warn("{}: stored responses are forgotten; the file is now {}", opened.error().message,
            aside.string());
  return responses::ResponseStore::open(path, clock);
}

Result<Readers> open_readers(const config::DataFolder& folder, const Clock& clock,
                             sqlite::Writer& writer) {
  const std::filesystem::path path = folder.database();
  Result<ledger::Ledger> ledger = ledger::Ledger::open(path, writer);
  if (!ledger) return std::unexpected(std::move(ledger.error()));
  Result<tasks::TaskStore> tasks = tasks::TaskStore::open(path, writer);
  if (!tasks) return std::unexpected(std::move(tasks.error()));
  Result<tasks::BatchStore> batches = tasks::BatchStore::open(path, writer);
  if (!batches) return std::unexpected(std::move(batches.error()));
  Result<ledger::Ledger> offload_ledger = ledger::Ledger::open(path, writer);
  if (!offload_ledger) return std::unexpected(std::move(offload_ledger.error()));
  Result<tasks::TaskStore> offload_tasks = tasks::TaskStore::open(path, writer);
  if (!offload_tasks) return std::unexpected(std::move(offload_tasks.error()));
  Result<tasks::BatchStore> offload_batches = tasks::BatchStore::open(path, writer);
  if (!offload_batches) return std::unexpected(std::move(offload_batches.error()));
  Result<responses::ResponseStore> responses =
      open_responses(folder.path() / "responses.db", clock);
  if (!responses) return std::unexpected(std::move(responses.error()));
  Result<tasks::Outbox> outbox = tasks::Outbox::open(path, writer);
  if (!outbox) return std::unexpected(std::move(outbox.error()));
  Result<tasks::Outbox> offload_outbox = tasks::Outbox::open(path, writer);
  if (!offload_outbox) return std::unexpected(std::move(offload_outbox.error()));
  Result<sqlite::Database> offload_database =
      sqlite::Database::open(path, sqlite::Database::Mode::kReadOnly);
  if (!offload_database) return std::unexpected(std::move(offload_database.error()));
  return Readers{std::move(*ledger),         std::move(*tasks),
                 std::move(*batches),        std::move(*offload_ledger),
                 std::move(*offload_tasks),  std::move(*offload_batches),
                 std::move(*responses),      std::move(*outbox),
                 std::move(*offload_outbox), std::move(*offload_database)};
}

}  // namespace

Result<Stores> Stores::open(const DaemonOptions& options) {
  Result<config::DataFolder> folder = config::DataFolder::hold(options.config.data_dir);
  if (!folder) return std::unexpected(std::move(folder.error()));
  Result<policy::AppStore> apps = policy::AppStore::open(config::apps_file(folder->path()));
  if (!apps) return std::unexpected(std::move(apps.error()));
  for (const std::string& address : options.config.listen) {
    if (Result<> good = check_address(address, apps->has_keys()); !good) {
      return std::unexpected(std::move(good.error()));
    }
  }
  Result<std::filesystem::path> sockets = folder->socket_dir();
  if (!sockets) return std::unexpected(std::move(sockets.error()));
  auto clocks = std::make_unique<Clocks>(options.clock);
  Result<std::unique_ptr<sqlite::Writer>> writer = open_writer(folder->database());
  if (!writer) return std::unexpected(std::move(writer.error()));
  Result<Readers> readers = open_readers(*folder, clocks->even, **writer);
  if (!readers) return std::unexpected(std::move(readers.error()));
  return Stores{.clocks = std::move(clocks),
                .folder = std::move(*folder),
                .apps = std::move(*apps),
                .sockets = std::move(*sockets),
                .writer = std::move(*writer),
                .readers = std::move(*readers)};
}

}  // namespace minimill::daemon
