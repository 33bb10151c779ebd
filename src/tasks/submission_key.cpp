#include "tasks/submission_key.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace minimill::tasks {
namespace {

using sqlite::Database;
using sqlite::Statement;

Result<> forget_old(Database& db, WallTime now) {
  Result<Statement*> purge = db.cached("DELETE FROM submission_keys WHERE created_ms < ?1");
  if (!purge) return std::unexpected(std::move(purge.error()));
  return (*purge)->bind(1, unix_ms(now - kKeyKept)).run();
}

}  // namespace

Result<> check_key(std::string_view key) {
  const auto printable = [](char c) { return c >= ' ' && c < '\x7f'; };
  if (!key.empty() && key.size() <= kMaxKeyBytes && std::ranges::all_of(key, printable)) return {};
  return fail_field(
      "Idempotency-Key",
      fmt::format("Idempotency-Key must be 1 to {} printable ASCII characters", kMaxKeyBytes),
      "a UUID is a good one");
}

Result<std::optional<SubmissionAnswer>> answered_before(Database& db, const SubmissionKey& key,
                                                        WallTime now) {
  if (Result<> forgotten = forget_old(db, now); !forgotten) {
    return std::unexpected(std::move(forgotten.error()));
  }
  Result<Statement*> query = db.cached(
      "SELECT fingerprint, status, body FROM submission_keys WHERE app = ?1 AND key = ?2");
  if (!query) return std::unexpected(std::move(query.error()));
  Statement& row = (*query)->bind(1, key.app).bind(2, key.key);
  Result<bool> there = row.step();
  if (!there) return std::unexpected(std::move(there.error()));
  if (!*there) return std::nullopt;
  const bool same = row.text(0) == key.fingerprint;
  SubmissionAnswer answer{.status = static_cast<int>(row.integer(1)),
                          .body = std::string(row.text(2))};
  row.reset();
  if (same) return answer;
  Error error{.code = ErrorCode::kConflict,
              .message = "this Idempotency-Key was used for something else",
              .hint = "send what was sent before, or use another key",
              .field = "Idempotency-Key",
              .retry_after = {}};
  return std::unexpected(std::move(error));
}

Result<> remember(Database& db, const SubmissionKey& key, WallTime now) {
  Result<Statement*> row = db.cached(
      "INSERT INTO submission_keys(app, key, fingerprint, status, body, created_ms) "
      "VALUES(?1,?2,?3,?4,?5,?6)");
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)
      ->bind(1, key.app)
      .bind(2, key.key)
      .bind(3, key.fingerprint)
      .bind(4, key.answer.status)
      .bind(5, key.answer.body)
      .bind(6, unix_ms(now));
  return (*row)->run();
}

}  // namespace minimill::tasks
