#pragma once

// Schemas that only move forward. Each component (ledger, lane) owns tables in the one file and a
// list of migrations; the n-th brings it from version n-1 to n, in one transaction.

#include <span>
#include <string_view>

#include "base/error.h"
#include "sqlite/database.h"

namespace minimill::sqlite {

/// Brings `component` to version migrations.size(). A file from a newer minimill is kConflict, with
/// what to do: nothing is touched.
Result<> migrate(Database& db, std::string_view component, std::span<const char* const> migrations);

}  // namespace minimill::sqlite
