#include "ledger/retention.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "ledger/daily_sums.h"

namespace minimill::ledger {
namespace {

using sqlite::Database;
using sqlite::Statement;

constexpr double kRoomToMake = 0.1;  // of the bound, once it is met

/// The one number of a query whose parameter, if it has one, is a time.
Result<std::optional<std::int64_t>> number_or_null(Database& db, std::string_view sql,
                                                   WallTime time = {}) {
  Result<Statement*> query = db.cached(sql);
  if (!query) return std::unexpected(std::move(query.error()));
  Result<bool> there = (*query)->bind(1, unix_ms(time)).step();
  if (!there) return std::unexpected(std::move(there.error()));
  std::optional<std::int64_t> value;
  if (*there) value = (*query)->optional_integer(0);
  (*query)->reset();
  return value;
}

Result<std::int64_t> number(Database& db, std::string_view sql, WallTime time = {}) {
  Result<std::optional<std::int64_t>> value = number_or_null(db, sql, time);
  if (!value) return std::unexpected(std::move(value.error()));
  return value->value_or(0);
}

Result<std::int64_t> count_requests(Database& db, WallTime before) {
  return number(db, "SELECT count(*) FROM requests WHERE at_ms < ?1", before);
}

Result<std::optional<WallTime>> oldest_request(Database& db) {
  Result<std::optional<std::int64_t>> ms = number_or_null(db, "SELECT min(at_ms) FROM requests");
  if (!ms) return std::unexpected(std::move(ms.error()));
  return *ms ? std::optional(from_unix_ms(**ms)) : std::nullopt;
}

Result<std::int64_t> prune_requests(Database& db, WallTime before, std::int64_t limit) {
  // Up to a point in time, and all of that point: a few more than the limit where many came at
  // once.
  Result<Statement*> query = db.cached(
      "SELECT max(at_ms) FROM (SELECT at_ms FROM requests WHERE at_ms < ?1 ORDER BY at_ms LIMIT "
      "?2)");
  if (!query) return std::unexpected(std::move(query.error()));
  Result<bool> there = (*query)->bind(1, unix_ms(before)).bind(2, limit).step();
  if (!there) return std::unexpected(std::move(there.error()));
  const std::optional<std::int64_t> until_ms = (*query)->optional_integer(0);
  (*query)->reset();
  if (!until_ms) return 0;
  for (const char* sql :
       {"DELETE FROM attempts WHERE request IN (SELECT id FROM requests WHERE at_ms <= ?1)",
        "DELETE FROM outcomes WHERE request IN (SELECT id FROM requests WHERE at_ms <= ?1)",
        "DELETE FROM requests WHERE at_ms <= ?1"}) {
    Result<Statement*> gone = db.cached(sql);
    if (!gone) return std::unexpected(std::move(gone.error()));
    if (Result<> done = (*gone)->bind(1, *until_ms).run(); !done) {
      return std::unexpected(std::move(done.error()));
    }
  }
  return db.changes();
}

Result<std::int64_t> used_bytes(Database& db) {
  Result<std::int64_t> pages = number(db, "PRAGMA page_count");
  Result<std::int64_t> free = pages ? number(db, "PRAGMA freelist_count") : pages;
  Result<std::int64_t> size = free ? number(db, "PRAGMA page_size") : free;
  if (!size) return size;
  return (*pages - *free) * *size;
}

/// The kind that has the oldest of all rows that may go.
Result<const Prunable*> oldest_kind(Database& db, std::span<const Prunable> kinds,
                                    WallTime before) {
  const Prunable* oldest = nullptr;
  for (const Prunable& kind : kinds) {
    Result<std::optional<WallTime>> at = kind.oldest(db);
    if (!at) return std::unexpected(std::move(at.error()));
    if (!*at || **at >= before) continue;
    before = **at;
    oldest = &kind;
  }
  return oldest;
}

Result<PruneStep> prune_old(Database& db, std::span<const Prunable> kinds, WallTime before) {
  for (const Prunable& kind : kinds) {
    Result<std::int64_t> rows = kind.prune(db, before, kRowsAtOnce);
    if (!rows) return std::unexpected(std::move(rows.error()));
    if (*rows > 0) return PruneStep{.rows = *rows, .kind = kind.name, .more = true};
  }
  return PruneStep{};
}

Result<PruneStep> make_room(Database& db, std::span<const Prunable> kinds, std::int64_t max_bytes,
                            WallTime now, bool& shrinking) {
  Result<std::int64_t> used = used_bytes(db);
  if (!used) return std::unexpected(std::move(used.error()));
  const auto wanted =
      static_cast<std::int64_t>(static_cast<double>(max_bytes) * (shrinking ? 1 - kRoomToMake : 1));
  shrinking = *used > wanted;
  if (!shrinking) return PruneStep{};
  const WallTime before = now - kYoungest;
  Result<const Prunable*> kind = oldest_kind(db, kinds, before);
  if (!kind) return std::unexpected(std::move(kind.error()));
  if (*kind == nullptr) return PruneStep{};
  Result<std::int64_t> rows = (*kind)->prune(db, before, kRowsAtOnce);
  if (!rows) return std::unexpected(std::move(rows.error()));
  return PruneStep{.rows = *rows, .kind = (*kind)->name, .more = *rows > 0};
}

/// Pages of a database that was made with incremental vacuum; of an older one none, and they are
/// used again all the same.
Result<PruneStep> give_back(Database& db) {
  Result<std::int64_t> before = number(db, "PRAGMA freelist_count");
  if (!before) return std::unexpected(std::move(before.error()));
  if (*before == 0) return PruneStep{};
  static const std::string kSql = "PRAGMA incremental_vacuum(" + std::to_string(kPagesAtOnce) + ")";
  if (Result<> done = db.exec(kSql.c_str()); !done) return std::unexpected(done.error());
  Result<std::int64_t> after = number(db, "PRAGMA freelist_count");
  if (!after) return std::unexpected(std::move(after.error()));
  return PruneStep{.rows = 0, .kind = {}, .more = *after > 0 && *after < *before};
}

/// Bytes by table, those of its indices included; empty where this SQLite cannot tell.
Result<std::map<std::string, std::int64_t>> bytes_by_table(Database& db) {
  std::map<std::string, std::int64_t> bytes;
  Result<Statement*> query = db.cached(
      "SELECT coalesce(s.tbl_name, d.name), sum(d.pgsize) FROM dbstat d "
      "LEFT JOIN sqlite_schema s ON s.name = d.name WHERE d.aggregate = TRUE GROUP BY 1");
  if (!query) return bytes;  // built without dbstat
  while (true) {
    Result<bool> there = (*query)->step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return bytes;
    bytes[std::string((*query)->text(0))] = (*query)->integer(1);
  }
}

}  // namespace

Prunable prunable_requests() {
  return {.name = "requests",
          .tables = {"requests", "attempts", "outcomes"},
          .count = count_requests,
          .oldest = oldest_request,
          .prune = prune_requests};
}

Result<> prepare_to_shrink(Database& db) {
  Result<std::int64_t> mode = number(db, "PRAGMA auto_vacuum");
  Result<std::int64_t> used = mode ? used_bytes(db) : mode;
  if (!used) return std::unexpected(std::move(used.error()));
  if (*mode != 0 || *used > kMaxRewrittenBytes) return {};
  return db.exec("PRAGMA auto_vacuum = INCREMENTAL; VACUUM");
}

Result<PruneStep> prune_step(Database& db, std::span<const Prunable> kinds,
                             const RetentionOptions& options, WallTime now, bool& shrinking) {
  Result<PruneStep> step;
  if (options.keep.count() > 0) step = prune_old(db, kinds, now - options.keep);
  if (!step || step->more) return step;
  if (options.max_bytes > 0) step = make_room(db, kinds, options.max_bytes, now, shrinking);
  if (!step || step->more) return step;
  return give_back(db);
}

Result<Usage> usage(Database& db, std::span<const Prunable> kinds, WallTime before) {
  Usage usage;
  Result<std::int64_t> size = number(db, "PRAGMA page_size");
  Result<std::int64_t> pages = size ? number(db, "PRAGMA page_count") : size;
  Result<std::int64_t> free = pages ? number(db, "PRAGMA freelist_count") : pages;
  if (!free) return std::unexpected(std::move(free.error()));
  usage.file_bytes = *pages * *size;
  usage.free_bytes = *free * *size;
  Result<std::map<std::string, std::int64_t>> bytes = bytes_by_table(db);
  if (!bytes) return std::unexpected(std::move(bytes.error()));
  std::int64_t known = 0;
  for (const Prunable& kind : kinds) {
    Result<std::int64_t> rows = kind.count(db, before);
    if (!rows) return std::unexpected(std::move(rows.error()));
    Result<std::optional<WallTime>> oldest = kind.oldest(db);
    if (!oldest) return std::unexpected(std::move(oldest.error()));
    Usage::Kind& row = usage.kinds.emplace_back();
    row.name = kind.name;
    row.prunable_rows = *rows;
    row.oldest = *oldest;
    if (bytes->empty()) continue;
    row.bytes = 0;
    for (const std::string_view table : kind.tables) *row.bytes += (*bytes)[std::string(table)];
    known += *row.bytes;
  }
  Usage::Kind& other = usage.kinds.emplace_back();
  other.name = "other";
  if (!bytes->empty()) other.bytes = usage.file_bytes - usage.free_bytes - known;
  return usage;
}

}  // namespace minimill::ledger
