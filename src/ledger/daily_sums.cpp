#include "ledger/daily_sums.h"

#include <fmt/format.h>

#include <array>
#include <string_view>
#include <utility>

#include "sqlite/migrations.h"

namespace minimill::ledger {
namespace {

using sqlite::Database;
using sqlite::Statement;

constexpr const char* kTable =
    "CREATE TABLE daily_sums("
    "  day INTEGER NOT NULL, app TEXT NOT NULL, operation TEXT NOT NULL, lane INTEGER NOT NULL,"
    "  provider TEXT NOT NULL, requests INTEGER NOT NULL, errors INTEGER NOT NULL,"
    "  attempts INTEGER NOT NULL, answered INTEGER NOT NULL, prompt_tokens INTEGER NOT NULL,"
    "  completion_tokens INTEGER NOT NULL, cost_usd REAL NOT NULL, checked INTEGER NOT NULL,"
    "  passed INTEGER NOT NULL,"
    "  PRIMARY KEY(day, app, operation, lane, provider)) WITHOUT ROWID;";

// Both have daily_sums' columns; {} says of which requests. A request counts where it was decided
// to go, an attempt where it went.
constexpr std::string_view kOfAttempts =
    "SELECT r.at_ms / 86400000 AS day, r.app AS app, r.operation AS operation, a.lane AS lane, "
    "a.backend AS provider, 0 AS requests, 0 AS errors, count(*) AS attempts, "
    "count(DISTINCT CASE WHEN a.error = '' THEN r.id END) AS answered, "
    "sum(a.prompt_tokens) AS prompt_tokens, sum(a.completion_tokens) AS completion_tokens, "
    "sum(a.cost_usd) AS cost_usd, 0 AS checked, 0 AS passed "
    "FROM requests r JOIN attempts a ON a.request = r.id WHERE {} GROUP BY 1, 2, 3, 4, 5";
constexpr std::string_view kOfRequests =
    "SELECT r.at_ms / 86400000 AS day, r.app AS app, r.operation AS operation, r.lane AS lane, "
    "coalesce((SELECT a.backend FROM attempts a WHERE a.request = r.id "
    "ORDER BY a.number DESC LIMIT 1), '') AS provider, count(*) AS requests, "
    "sum(r.status >= 400) AS errors, 0 AS attempts, 0 AS answered, 0 AS prompt_tokens, "
    "0 AS completion_tokens, 0.0 AS cost_usd, count(o.ok) AS checked, total(o.ok) AS passed "
    "FROM requests r LEFT JOIN (SELECT request, max(rowid), ok FROM outcomes WHERE kind = 'check' "
    "AND request IN (SELECT r.id FROM requests r WHERE {}) GROUP BY request) o "
    "ON o.request = r.id WHERE {} GROUP BY 1, 2, 3, 4, 5";

std::string of_attempts(std::string_view where) {
  return fmt::format(fmt::runtime(kOfAttempts), where);
}
std::string of_requests(std::string_view where) {
  return fmt::format(fmt::runtime(kOfRequests), where, where);
}

constexpr std::array kSums{"requests",          "errors",   "attempts", "answered", "prompt_tokens",
                           "completion_tokens", "cost_usd", "checked",  "passed"};

/// Puts `sums` into the table, added to what is there (sign '+') or taken away ('-').
std::string upsert(const std::string& sums, char sign) {
  std::string sql = "INSERT INTO daily_sums " + sums + " ON CONFLICT DO UPDATE SET ";
  for (const char* each : kSums) {
    if (!sql.ends_with("SET ")) sql += ", ";
    sql += fmt::format("{0} = {0} {1} excluded.{0}", each, sign);
  }
  return sql;
}

}  // namespace

Result<> migrate_daily_sums(Database& db) {
  // 2: what is pruned was counted already; now the rest is.
  static const std::string kCountAll =
      upsert(of_attempts("true"), '+') + ";" + upsert(of_requests("true"), '+') + ";";
  const std::array<const char*, 2> migrations{kTable, kCountAll.c_str()};
  return sqlite::migrate(db, "daily_sums", migrations);
}

Result<> count_request(Database& db, std::string_view id, Counted counted) {
  static const std::string kAddAttempts = upsert(of_attempts("r.id = ?1"), '+');
  static const std::string kAddRequest = upsert(of_requests("r.id = ?1"), '+');
  static const std::string kTakeAttempts = upsert(of_attempts("r.id = ?1"), '-');
  static const std::string kTakeRequest = upsert(of_requests("r.id = ?1"), '-');
  const bool now = counted == Counted::kNow;
  for (const std::string* sql :
       {now ? &kAddAttempts : &kTakeAttempts, now ? &kAddRequest : &kTakeRequest}) {
    Result<Statement*> change = db.cached(*sql);
    if (!change) return std::unexpected(std::move(change.error()));
    if (Result<> done = (*change)->bind(1, id).run(); !done) return done;
  }
  return {};
}

Result<std::vector<DailySum>> daily_sums(Database& db, WallTime since) {
  Result<Statement*> query = db.cached(
      "SELECT day, app, operation, lane, provider, requests, errors, attempts, answered, "
      "prompt_tokens, completion_tokens, cost_usd, checked, passed FROM daily_sums "
      "WHERE day >= ?1 / 86400000 AND (requests > 0 OR attempts > 0) ORDER BY 1, 2, 3, 4, 5");
  if (!query) return std::unexpected(std::move(query.error()));
  Statement& row = **query;
  row.bind(1, unix_ms(std::chrono::floor<std::chrono::days>(since)));
  std::vector<DailySum> sums;
  while (true) {
    Result<bool> there = row.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return sums;
    sums.push_back({.day = WallTime{std::chrono::days{row.integer(0)}},
                    .app = std::string(row.text(1)),
                    .operation = std::string(row.text(2)),
                    .lane = static_cast<int>(row.integer(3)),
                    .provider = std::string(row.text(4)),
                    .requests = row.integer(5),
                    .errors = row.integer(6),
                    .attempts = row.integer(7),
                    .answered = row.integer(8),
                    .prompt_tokens = row.integer(9),
                    .completion_tokens = row.integer(10),
                    .cost_usd = row.real(11),
                    .checked = row.integer(12),
                    .passed = row.integer(13)});
  }
}

}  // namespace minimill::ledger
