#include "sqlite/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <string>
#include <unordered_map>
#include <utility>

#include "sqlite/sqlite_error.h"

namespace minimill::sqlite {
namespace {

constexpr int kBusyTimeoutMs = 5'000;

constexpr const char* kWriterPragmas =
    "PRAGMA auto_vacuum = INCREMENTAL;"  // of a new file; before anything is in it
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = FULL;"
    "PRAGMA foreign_keys = ON;";

constexpr int kNever = 0;

}  // namespace

struct Database::Cache {
  std::unordered_map<std::string, Statement> statements;
  int log_pages = 0;  // after the last commit, once checkpoints are deferred
};

void Database::Close::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

void Statement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Database::Database(sqlite3* handle) : handle_(handle), cache_(std::make_shared<Cache>()) {}

Result<Database> Database::open(const std::filesystem::path& path, Mode mode) {
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (mode == Mode::kReadWrite ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                              : SQLITE_OPEN_READONLY);
  sqlite3* handle = nullptr;
  const int rc = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  Database db(handle);  // also a failed open must be closed
  if (rc != SQLITE_OK) {
    return std::unexpected(error_of(handle, rc).context(fmt::format("opening {}", path.string())));
  }
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  if (mode == Mode::kReadWrite) {
    if (Result<> set = db.exec(kWriterPragmas); !set) {
      return std::unexpected(
          std::move(set.error()).context(fmt::format("opening {}", path.string())));
    }
    sqlite3_wal_autocheckpoint(handle, kLogPages);
  }
  return db;
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int rc = sqlite3_prepare_v3(handle_.get(), sql.data(), static_cast<int>(sql.size()),
                                    SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (rc != SQLITE_OK) return std::unexpected(error_of(handle_.get(), rc));
  return Statement(statement);
}

Result<Statement*> Database::cached(std::string_view sql) {
  const auto found = cache_->statements.find(std::string(sql));
  if (found != cache_->statements.end()) {
    found->second.reset();
    return &found->second;
  }
  Result<Statement> prepared = prepare(sql);
  if (!prepared) return std::unexpected(std::move(prepared.error()));
  return &cache_->statements.emplace(sql, std::move(*prepared)).first->second;
}

Result<> Database::exec(const char* sql) {
  const int rc = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
  if (rc != SQLITE_OK) return std::unexpected(error_of(handle_.get(), rc));
  return {};
}

std::int64_t Database::changes() const { return sqlite3_changes64(handle_.get()); }

bool Database::in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

void Database::defer_checkpoints() {
  const auto note = [](void* pages, sqlite3*, const char*, int now) {
    *static_cast<int*>(pages) = now;
    return SQLITE_OK;
  };
  sqlite3_wal_hook(handle_.get(), note, &cache_->log_pages);
}

Result<> Database::checkpoint_if_due() {
  if (cache_->log_pages < kLogPages) return {};
  cache_->log_pages = 0;
  const int rc = sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                           nullptr, nullptr);
  if (rc != SQLITE_OK) return std::unexpected(error_of(handle_.get(), rc).context("checkpoint"));
  return {};
}

void Database::keep_log() {
  sqlite3_wal_autocheckpoint(handle_.get(), kNever);
  sqlite3_db_config(handle_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

Statement& Statement::bind(int index, std::string_view text) {
  // An empty view may point nowhere, and a null pointer would bind NULL.
  sqlite3_bind_text64(statement_.get(), index, text.empty() ? "" : text.data(), text.size(),
                      SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind(int index, std::int64_t number) {
  sqlite3_bind_int64(statement_.get(), index, number);
  return *this;
}

Statement& Statement::bind(int index, double number) {
  sqlite3_bind_double(statement_.get(), index, number);
  return *this;
}

Statement& Statement::bind(int index, std::nullptr_t) {
  sqlite3_bind_null(statement_.get(), index);
  return *this;
}

Statement& Statement::bind_blob(int index, std::string_view bytes) {
  sqlite3_bind_blob64(statement_.get(), index, bytes.empty() ? "" : bytes.data(), bytes.size(),
                      SQLITE_TRANSIENT);
  return *this;
}

Result<bool> Statement::step() {
  const int rc = sqlite3_step(statement_.get());
  if (rc == SQLITE_ROW) return true;
  if (rc == SQLITE_DONE) {
    sqlite3_reset(statement_.get());
    return false;
  }
  Error error = error_of(sqlite3_db_handle(statement_.get()), rc);
  sqlite3_reset(statement_.get());
  return std::unexpected(std::move(error));
}

Result<> Statement::run() {
  while (true) {
    Result<bool> row = step();
    if (!row) return std::unexpected(std::move(row.error()));
    if (!*row) return {};
  }
}

void Statement::reset() {
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
}

std::string_view Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return bytes == nullptr ? std::string_view{} : std::string_view(bytes, size);
}

std::string_view Statement::blob(int column) const {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  return bytes == nullptr ? std::string_view{} : std::string_view(bytes, size);
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

double Statement::real(int column) const { return sqlite3_column_double(statement_.get(), column); }

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::optional<std::string> Statement::optional_text(int column) const {
  if (is_null(column)) return std::nullopt;
  return std::string(text(column));
}

std::optional<std::int64_t> Statement::optional_integer(int column) const {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

std::optional<double> Statement::optional_real(int column) const {
  if (is_null(column)) return std::nullopt;
  return real(column);
}

}  // namespace minimill::sqlite
