#pragma once

// SQLite's result codes as Errors that say what to do.

#include "base/error.h"

struct sqlite3;

namespace minimill::sqlite {

/// `rc` is the (extended) code of the call that just failed on `handle`.
Error error_of(sqlite3* handle, int rc);

}  // namespace minimill::sqlite
