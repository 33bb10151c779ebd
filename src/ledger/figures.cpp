#include "ledger/figures.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "sqlite/migrations.h"

namespace minimill::ledger {
namespace {

using sqlite::Database;
using sqlite::Statement;

constexpr std::array kCounts{
    "requests", "errors", "escalated", "answered", "checked",       "passed",           "judged",
    "good",     "pairs",  "attempts",  "failures", "prompt_tokens", "completion_tokens"};
constexpr std::array kSums{"waited_ms", "took_ms", "cloud_usd", "pair_x",  "pair_y",
                           "pair_xx",   "pair_xy", "pair_yy",   "cost_usd"};
constexpr std::string_view kKeys = "day, app, operation, origin, lane, provider";

// A request counts where its last answer came from, or, without one, where it was decided to go. A
// pair is a comparison that asked the cloud what the device had been asked: not the question to a
// judge, which belongs to the same request.
constexpr std::string_view kOfRequests =
    "SELECT r.at_ms / 86400000 AS day, r.app AS app, r.operation AS operation, r.origin AS origin, "
    "coalesce(f.lane, r.lane) AS lane, coalesce(f.backend, '') AS provider, "
    "count(*) AS requests, sum(r.status >= 400) AS errors, "
    "sum(e.request IS NOT NULL OR (f.lane IS 1 AND EXISTS(SELECT 1 FROM attempts a "
    "WHERE a.request = r.id AND a.lane = 0))) AS escalated, "
    "sum(f.lane IS NOT NULL AND e.request IS NULL AND r.status < 400) AS answered, "
    "count(c.ok) AS checked, total(c.ok) AS passed, count(j.ok) AS judged, total(j.ok) AS good, "
    "total((SELECT total(a.queued_ms) FROM attempts a WHERE a.request = r.id)) AS waited_ms, "
    "total((SELECT total(a.duration_ms) FROM attempts a WHERE a.request = r.id)) AS took_ms, "
    "total(CASE WHEN f.lane = 0 AND e.request IS NULL THEN r.cloud_usd END) AS cloud_usd, "
    "count(p.id) AS pairs, total(p.cloud_usd) AS pair_x, "
    "total(CASE WHEN p.id IS NOT NULL THEN f.cost_usd END) AS pair_y, "
    "total(p.cloud_usd * p.cloud_usd) AS pair_xx, total(p.cloud_usd * f.cost_usd) AS pair_xy, "
    "total(CASE WHEN p.id IS NOT NULL THEN f.cost_usd * f.cost_usd END) AS pair_yy, "
    "0 AS attempts, 0 AS failures, 0 AS prompt_tokens, 0 AS completion_tokens, 0.0 AS cost_usd "
    "FROM requests r "
    "LEFT JOIN attempts f ON f.request = r.id AND f.number = "
    "(SELECT max(a.number) FROM attempts a WHERE a.request = r.id AND a.error = '') "
    "LEFT JOIN outcomes e ON e.rowid = "
    "(SELECT max(o.rowid) FROM outcomes o WHERE o.request = r.id AND o.kind = 'escalated') "
    "LEFT JOIN outcomes c ON c.rowid = "
    "(SELECT max(o.rowid) FROM outcomes o WHERE o.request = r.id AND o.kind = 'check') "
    "LEFT JOIN outcomes j ON j.rowid = (SELECT max(o.rowid) FROM outcomes o WHERE o.request = r.id "
    "AND o.kind IN ('feedback', 'judge', 'comparison')) "
    "LEFT JOIN requests p ON r.origin = 'shadow' AND f.lane = 1 AND p.id = r.parent "
    "AND p.cloud_usd > 0 AND p.model_asked = r.model_asked "
    "WHERE {} GROUP BY 1, 2, 3, 4, 5, 6";
constexpr std::string_view kOfAttempts =
    "SELECT r.at_ms / 86400000 AS day, r.app AS app, r.operation AS operation, r.origin AS origin, "
    "a.lane AS lane, a.backend AS provider, 0 AS requests, 0 AS errors, 0 AS escalated, "
    "0 AS answered, 0 AS checked, 0 AS passed, 0 AS judged, 0 AS good, 0.0 AS waited_ms, "
    "0.0 AS took_ms, 0.0 AS cloud_usd, 0 AS pairs, 0.0 AS pair_x, 0.0 AS pair_y, 0.0 AS pair_xx, "
    "0.0 AS pair_xy, 0.0 AS pair_yy, count(*) AS attempts, sum(a.error != '') AS failures, "
    "sum(a.prompt_tokens) AS prompt_tokens, sum(a.completion_tokens) AS completion_tokens, "
    "sum(a.cost_usd) AS cost_usd FROM requests r JOIN attempts a ON a.request = r.id "
    "WHERE {} GROUP BY 1, 2, 3, 4, 5, 6";

std::string create_table() {
  std::string sql =
      "CREATE TABLE figures(day INTEGER NOT NULL, app TEXT NOT NULL, operation TEXT NOT NULL, "
      "origin TEXT NOT NULL, lane INTEGER NOT NULL, provider TEXT NOT NULL, ";
  for (const char* each : kCounts) sql += fmt::format("{} INTEGER NOT NULL DEFAULT 0, ", each);
  for (const char* each : kSums) sql += fmt::format("{} REAL NOT NULL DEFAULT 0, ", each);
  return sql + fmt::format("PRIMARY KEY({})) WITHOUT ROWID;", kKeys);
}

std::string columns() {
  std::string listed(kKeys);
  for (const char* each : kCounts) listed += fmt::format(", {}", each);
  for (const char* each : kSums) listed += fmt::format(", {}", each);
  return listed;
}

/// Puts what `select` gives into the table, added to what is there (sign '+') or taken away ('-').
/// What is taken away was added before, so that its row is there.
std::string upsert(std::string_view select, std::string_view where, char sign) {
  std::string sql = fmt::format(
      "INSERT INTO figures({0}) SELECT {0} FROM ({1}) WHERE true "
      "ON CONFLICT DO UPDATE SET ",
      columns(), fmt::format(fmt::runtime(select), where));
  const auto change = [&sql, sign](const char* each) {
    if (!sql.ends_with("SET ")) sql += ", ";
    sql += fmt::format("{0} = {0} {1} excluded.{0}", each, sign);
  };
  for (const char* each : kCounts) change(each);
  for (const char* each : kSums) change(each);
  return sql;
}

// Days whose requests were pruned are known by their sums alone.
constexpr std::string_view kOfPruned =
    "INSERT INTO figures(day, app, operation, origin, lane, provider, requests, errors, answered, "
    "checked, passed, attempts, prompt_tokens, completion_tokens, cost_usd) SELECT day, app, "
    "operation, CASE app WHEN 'shadow' THEN 'shadow' ELSE 'app' END, lane, provider, requests, "
    "errors, answered, checked, passed, attempts, prompt_tokens, completion_tokens, cost_usd "
    "FROM daily_sums WHERE day < coalesce((SELECT min(at_ms) / 86400000 FROM requests), 1 << 40);";

}  // namespace

Result<> migrate_figures(Database& db) {
  static const std::string kFirst = create_table() + std::string(kOfPruned) +
                                    upsert(kOfAttempts, "true", '+') + ";" +
                                    upsert(kOfRequests, "true", '+') + ";";
  const std::array migrations{kFirst.c_str()};
  return sqlite::migrate(db, "figures", migrations);
}

Result<> count_figures(Database& db, std::string_view request, Counted counted) {
  static const std::array kAdd{upsert(kOfAttempts, "r.id = ?1", '+'),
                               upsert(kOfRequests, "r.id = ?1", '+')};
  static const std::array kTake{upsert(kOfAttempts, "r.id = ?1", '-'),
                                upsert(kOfRequests, "r.id = ?1", '-')};
  for (const std::string& sql : counted == Counted::kNow ? kAdd : kTake) {
    Result<Statement*> change = db.cached(sql);
    if (!change) return std::unexpected(std::move(change.error()));
    if (Result<> done = (*change)->bind(1, request).run(); !done) return done;
  }
  return {};
}

Figures& Figures::operator+=(const Figures& other) {
  requests += other.requests;
  errors += other.errors;
  escalated += other.escalated;
  answered += other.answered;
  checked += other.checked;
  passed += other.passed;
  judged += other.judged;
  good += other.good;
  waited_ms += other.waited_ms;
  took_ms += other.took_ms;
  cloud_usd += other.cloud_usd;
  pairs += other.pairs;
  pair_x += other.pair_x;
  pair_y += other.pair_y;
  pair_xx += other.pair_xx;
  pair_xy += other.pair_xy;
  pair_yy += other.pair_yy;
  attempts += other.attempts;
  failures += other.failures;
  prompt_tokens += other.prompt_tokens;
  completion_tokens += other.completion_tokens;
  cost_usd += other.cost_usd;
  return *this;
}

Result<std::vector<FiguresRow>> read_figures(Database& db, WallTime since, WallTime until) {
  static const std::string kSql = "SELECT " + columns() +
                                  " FROM figures WHERE day >= ?1 AND day < ?2 AND " +
                                  "(requests > 0 OR attempts > 0) ORDER BY " + std::string(kKeys);
  Result<Statement*> query = db.cached(kSql);
  if (!query) return std::unexpected(std::move(query.error()));
  Statement& row = **query;
  const auto day_of = [](WallTime time) {
    return static_cast<std::int64_t>(
        std::chrono::floor<std::chrono::days>(time).time_since_epoch().count());
  };
  row.bind(1, day_of(since)).bind(2, day_of(until));
  std::vector<FiguresRow> rows;
  while (true) {
    Result<bool> there = row.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return rows;
    FiguresRow& read = rows.emplace_back();
    read.day = WallTime{std::chrono::days{row.integer(0)}};
    read.app = row.text(1);
    read.operation = row.text(2);
    read.origin = row.text(3);
    read.lane = static_cast<int>(row.integer(4));
    read.provider = row.text(5);
    Figures& sums = read.figures;
    int column = 6;  // in the order of kCounts, then of kSums
    for (std::int64_t* each :
         {&sums.requests, &sums.errors, &sums.escalated, &sums.answered, &sums.checked,
          &sums.passed, &sums.judged, &sums.good, &sums.pairs, &sums.attempts, &sums.failures,
          &sums.prompt_tokens, &sums.completion_tokens}) {
      *each = row.integer(column++);
    }
    for (double* each :
         {&sums.waited_ms, &sums.took_ms, &sums.cloud_usd, &sums.pair_x, &sums.pair_y,
          &sums.pair_xx, &sums.pair_xy, &sums.pair_yy, &sums.cost_usd}) {
      *each = row.real(column++);
    }
  }
}

}  // namespace minimill::ledger
