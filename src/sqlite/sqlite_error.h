#pragma once

// SQLite's result codes as Errors that say what to do.

#include "base/error.h"

struct sqlite3;

namespace minimill::sqlite {

/// `rc` is the (extended) code of the call that just failed on `handle`; it stays in native_code.
Error error_of(sqlite3* handle, int rc);

/// After a transaction that failed so: is it still known what is on disk? Yes where SQLite says
/// that it wrote nothing of it (no space, no memory, a file that another holds). No after an I/O
/// error: of a failed sync the kernel tells once, and a second one that succeeds proves nothing. No
/// in a corrupt file, and no where SQLite's code is not known.
bool is_undone_cleanly(const Error& error);

}  // namespace minimill::sqlite
