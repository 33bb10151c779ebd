#include "sqlite/migrations.h"

#include <fmt/format.h>

#include <utility>

namespace minimill::sqlite {
namespace {

Result<std::int64_t> version_of(Database& db, std::string_view component) {
  Result<> made = db.exec(
      "CREATE TABLE IF NOT EXISTS schema_versions("
      "component TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID");
  if (!made) return std::unexpected(std::move(made.error()));
  Result<Statement> query = db.prepare("SELECT version FROM schema_versions WHERE component = ?1");
  if (!query) return std::unexpected(std::move(query.error()));
  query->bind(1, component);
  Result<bool> row = query->step();
  if (!row) return std::unexpected(std::move(row.error()));
  return *row ? query->integer(0) : 0;
}

Result<> apply(Database& db, std::string_view component, std::int64_t version, const char* sql) {
  if (Result<> begun = db.exec("BEGIN IMMEDIATE"); !begun) return begun;
  Result<> done = db.exec(sql);
  if (done) {
    Result<Statement> note = db.prepare(
        "INSERT INTO schema_versions(component, version) VALUES(?1, ?2) "
        "ON CONFLICT(component) DO UPDATE SET version = excluded.version");
    if (note) {
      done = note->bind(1, component).bind(2, version).run();
    } else {
      done = std::unexpected(std::move(note.error()));
    }
  }
  if (done) done = db.exec("COMMIT");
  if (!done) (void)db.exec("ROLLBACK");  // the error to report is the first one
  return done;
}

}  // namespace

Result<> migrate(Database& db, std::string_view component,
                 std::span<const char* const> migrations) {
  Result<std::int64_t> version = version_of(db, component);
  if (!version) return std::unexpected(std::move(version.error()));
  const auto newest = static_cast<std::int64_t>(migrations.size());
  if (*version > newest) {
    return fail(ErrorCode::kConflict,
                fmt::format("the database's {} tables are of version {}, this minimill knows {}",
                            component, *version, newest),
                "use the newer minimill that wrote it, or set another [data] dir");
  }
  for (std::int64_t next = *version; next < newest; ++next) {
    Result<> applied = apply(db, component, next + 1, migrations[static_cast<std::size_t>(next)]);
    if (!applied) {
      return std::unexpected(
          std::move(applied.error())
              .context(fmt::format("bringing the {} tables to version {}", component, next + 1)));
    }
  }
  return {};
}

}  // namespace minimill::sqlite
