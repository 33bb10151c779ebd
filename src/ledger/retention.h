#pragma once

// What the database keeps, and for how long: rows that grow with use go once they are older than
// `keep`, and before that, the oldest first, while the file's used pages are more than `max_bytes`.
// A step takes few rows, in one job of the writer; steps with pauses between them leave the writer
// to others (retention_runner.h).
//
// Rooms with tables of their own say what may go by a Prunable. Of requests, sums by day stay
// (daily_sums.h).

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "sqlite/database.h"

namespace minimill::ledger {

/// A kind of rows that may be pruned: plain functions over a database, on whichever thread has it.
struct Prunable {
  std::string_view name;                 // "requests"
  std::vector<std::string_view> tables;  // whose bytes count as its own
  /// How many rows from before that may go.
  Result<std::int64_t> (*count)(sqlite::Database& db, WallTime before);
  /// When the oldest of all that may go is from.
  Result<std::optional<WallTime>> (*oldest)(sqlite::Database& db);
  /// Removes about `limit` of them, the oldest; how many.
  Result<std::int64_t> (*prune)(sqlite::Database& db, WallTime before, std::int64_t limit);
};

/// Requests with their attempts and outcomes.
Prunable prunable_requests();

struct RetentionOptions {
  std::chrono::seconds keep{90 * 86'400};  // 0: for ever
  std::int64_t max_bytes = 2'000'000'000;  // 0: no bound
};

/// Never pruned for want of room: `why` and feedback need them.
inline constexpr std::chrono::hours kYoungest{1};
inline constexpr std::int64_t kRowsAtOnce = 200;
inline constexpr int kPagesAtOnce = 256;  // given back to the file system
inline constexpr std::int64_t kMaxRewrittenBytes = 64'000'000;

struct PruneStep {
  std::int64_t rows = 0;
  std::string_view kind;
  bool more = false;  // another step has something to do
};

/// For a database that was made before this was a concern, if it is small enough to be rewritten
/// while its owner waits: from now on pages can be given back. Others use their free pages again.
/// Not in a transaction.
Result<> prepare_to_shrink(sqlite::Database& db);

/// One step, in the caller's transaction. `shrinking`: the bound has been met, and goes on being
/// enforced until a tenth of it is free, so that a full database is not pruned row by row.
Result<PruneStep> prune_step(sqlite::Database& db, std::span<const Prunable> kinds,
                             const RetentionOptions& options, WallTime now, bool& shrinking);

/// The whole file, what of it is used, and how that is divided.
struct Usage {
  struct Kind {
    std::string_view name;
    std::optional<std::int64_t> bytes;  // nullopt: this SQLite cannot tell
    std::int64_t prunable_rows = 0;     // from before `keep`
    std::optional<WallTime> oldest;     // of those that may ever go
  };
  std::int64_t file_bytes = 0;
  std::int64_t free_bytes = 0;
  std::vector<Kind> kinds;  // and "other", last
};

/// Reads the whole file: not on the event loop.
Result<Usage> usage(sqlite::Database& db, std::span<const Prunable> kinds, WallTime before);

}  // namespace minimill::ledger
