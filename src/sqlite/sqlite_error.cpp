#include "sqlite/sqlite_error.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <string>

namespace minimill::sqlite {
namespace {

constexpr int kPrimaryMask = 0xff;

struct Meaning {
  ErrorCode code;
  const char* hint;
};

Meaning meaning_of(int primary) {
  switch (primary) {
    case SQLITE_FULL:
      return {ErrorCode::kIo, "free some space on the disk that holds it"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {ErrorCode::kCorrupt, "move the file aside to start with a new one"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorCode::kConflict, "does another program hold the file?"};
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return {ErrorCode::kIo, "check the folder's permissions"};
    case SQLITE_IOERR:
      return {ErrorCode::kIo, "check the disk that holds it"};
    case SQLITE_CONSTRAINT:
      return {ErrorCode::kConflict, ""};
    default:
      return {ErrorCode::kInternal, ""};
  }
}

}  // namespace

Error error_of(sqlite3* handle, int rc) {
  const Meaning meaning = meaning_of(rc & kPrimaryMask);
  Error error;
  error.code = meaning.code;
  error.native_code = rc;
  error.message =
      fmt::format("database: {}", handle == nullptr ? sqlite3_errstr(rc) : sqlite3_errmsg(handle));
  error.hint = meaning.hint;
  return error;
}

bool is_undone_cleanly(const Error& error) {
  if (error.native_code == SQLITE_IOERR_NOMEM) return true;
  switch (error.native_code & kPrimaryMask) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
    case SQLITE_INTERRUPT:
    case SQLITE_CONSTRAINT:
      return true;
    default:
      return false;
  }
}

}  // namespace minimill::sqlite
