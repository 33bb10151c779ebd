#include "distill/trace_store.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <utility>

#include "base/json.h"
#include "sqlite/migrations.h"

namespace minimill::distill {
namespace {

using sqlite::Database;
using sqlite::Statement;

constexpr std::array kMigrations{
    // 1
    "CREATE TABLE traces("
    "  id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, app TEXT NOT NULL, operation TEXT NOT NULL,"
    "  request TEXT NOT NULL, answer TEXT NOT NULL, model TEXT NOT NULL, decision TEXT NOT NULL,"
    "  outcome INTEGER NOT NULL, cost_usd REAL NOT NULL, task INTEGER NOT NULL,"
    "  local_only INTEGER NOT NULL);"
    "CREATE INDEX traces_by_time ON traces(at_ms);"
    "CREATE INDEX traces_by_operation ON traces(operation, at_ms);"
    "CREATE TABLE trace_rules("
    "  app TEXT PRIMARY KEY, what INTEGER NOT NULL, age_days INTEGER NOT NULL,"
    "  local_only INTEGER NOT NULL);",
};

constexpr std::string_view kColumns =
    "id, at_ms, app, operation, request, answer, model, decision, outcome, cost_usd, task, "
    "local_only";
constexpr std::string_view kWhere =
    "(?1 = '' OR id = ?1) AND (?2 = '' OR app = ?2) AND (?3 = '' OR operation = ?3) AND at_ms < ?4";

void bind_filter(Statement& statement, const TraceFilter& filter) {
  statement.bind(1, std::string_view(filter.id))
      .bind(2, std::string_view(filter.app))
      .bind(3, std::string_view(filter.operation))
      .bind(4, unix_ms(filter.before));
}

Trace trace_of(const Statement& row) {
  return {.id = std::string(row.text(0)),
          .at = from_unix_ms(row.integer(1)),
          .app = std::string(row.text(2)),
          .operation = std::string(row.text(3)),
          .request = std::string(row.text(4)),
          .answer = std::string(row.text(5)),
          .model = std::string(row.text(6)),
          .decision = std::string(row.text(7)),
          .outcome = row.integer(8) == 1   ? Teacher::kRight
                     : row.integer(8) == 2 ? Teacher::kWrong
                                           : Teacher::kUnknown,
          .cost_usd = row.real(9),
          .task = row.integer(10) != 0,
          .local_only = row.integer(11) != 0};
}

Result<> read(Database& db, const std::string& sql, const TraceFilter& filter, std::int64_t most,
              const std::function<void(const Trace&)>& take) {
  Result<Statement> statement = db.prepare(sql);
  if (!statement) return std::unexpected(std::move(statement.error()));
  bind_filter(*statement, filter);
  statement->bind(5, most);
  while (true) {
    Result<bool> there = statement->step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return {};
    take(trace_of(*statement));
  }
}

std::string select(std::string_view order) {
  return fmt::format("SELECT {} FROM traces WHERE {} ORDER BY at_ms {}, id LIMIT ?5", kColumns,
                     kWhere, order);
}

}  // namespace

Result<TraceStore> TraceStore::open(const std::filesystem::path& path, std::int64_t most_bytes) {
  Result<Database> db = Database::open(path, Database::Mode::kReadWrite);
  if (!db) return std::unexpected(std::move(db.error()));
  if (path != ":memory:" && ::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0) {
    return fail(ErrorCode::kIo, fmt::format("cannot keep {} to its owner", path.string()));
  }
  Result<> ready = db->exec("PRAGMA secure_delete = ON");
  if (ready) ready = sqlite::migrate(*db, "traces", kMigrations);
  if (!ready) {
    return std::unexpected(
        std::move(ready.error()).context(fmt::format("opening {}", path.string())));
  }
  return TraceStore(std::move(*db), most_bytes);
}

std::string_view name(KeepRule::What what) {
  switch (what) {
    case KeepRule::What::kNothing:
      return "nothing";
    case KeepRule::What::kTasks:
      return "tasks";
    case KeepRule::What::kAll:
      return "all";
  }
  std::unreachable();
}

bool is_kept(const KeepRule& rule, bool task, bool local_only) {
  if (rule.what == KeepRule::What::kNothing || (local_only && !rule.local_only)) return false;
  return task || rule.what == KeepRule::What::kAll;
}

Result<std::map<std::string, KeepRule, std::less<>>> TraceStore::rules() {
  Result<Statement> statement = db_.prepare("SELECT app FROM trace_rules");
  if (!statement) return std::unexpected(std::move(statement.error()));
  std::map<std::string, KeepRule, std::less<>> rules;
  while (true) {
    Result<bool> there = statement->step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return rules;
    std::string app(statement->text(0));
    Result<KeepRule> rule = keep_of(app);
    if (!rule) return std::unexpected(std::move(rule.error()));
    rules.emplace(std::move(app), *rule);
  }
}

Result<std::vector<std::pair<std::string, std::string>>> TraceStore::operations() {
  Result<Statement> statement =
      db_.prepare("SELECT app, operation FROM traces GROUP BY app, operation");
  if (!statement) return std::unexpected(std::move(statement.error()));
  std::vector<std::pair<std::string, std::string>> all;
  while (true) {
    Result<bool> there = statement->step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return all;
    all.emplace_back(statement->text(0), statement->text(1));
  }
}

Result<KeepRule> TraceStore::keep_of(std::string_view app) {
  Result<Statement*> statement =
      db_.cached("SELECT what, age_days, local_only FROM trace_rules WHERE app = ?1");
  if (!statement) return std::unexpected(std::move(statement.error()));
  (*statement)->bind(1, app);
  Result<bool> there = (*statement)->step();
  if (!there) return std::unexpected(std::move(there.error()));
  if (!*there) return KeepRule{};
  const auto what = std::clamp<std::int64_t>((*statement)->integer(0), 0, 2);
  KeepRule rule{.what = static_cast<KeepRule::What>(what),
                .age = std::chrono::days((*statement)->integer(1)),
                .local_only = (*statement)->integer(2) != 0};
  (*statement)->reset();
  return rule;
}

Result<> TraceStore::set_keep(std::string_view app, const KeepRule& rule) {
  Result<Statement*> statement = db_.cached(
      "INSERT INTO trace_rules(app, what, age_days, local_only) VALUES(?1, ?2, ?3, ?4) "
      "ON CONFLICT(app) DO UPDATE SET what = ?2, age_days = ?3, local_only = ?4");
  if (!statement) return std::unexpected(std::move(statement.error()));
  (*statement)
      ->bind(1, app)
      .bind(2, static_cast<std::int64_t>(rule.what))
      .bind(3, static_cast<std::int64_t>(rule.age.count()))
      .bind(4, rule.local_only);
  return (*statement)->run();
}

Result<bool> TraceStore::put(const Trace& trace) {
  const std::size_t bytes = trace.request.size() + trace.answer.size() + trace.decision.size();
  if (bytes > kMostTraceBytes) return false;
  Result<KeepRule> rule = keep_of(trace.app);
  if (!rule) return std::unexpected(std::move(rule.error()));
  if (!is_kept(*rule, trace.task, trace.local_only)) return false;
  Result<Statement*> statement = db_.cached(
      "INSERT OR REPLACE INTO traces(id, at_ms, app, operation, request, answer, model, decision, "
      "outcome, cost_usd, task, local_only) "
      "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
  if (!statement) return std::unexpected(std::move(statement.error()));
  (*statement)
      ->bind(1, std::string_view(trace.id))
      .bind(2, unix_ms(trace.at))
      .bind(3, std::string_view(trace.app))
      .bind(4, std::string_view(trace.operation))
      .bind(5, std::string_view(trace.request))
      .bind(6, std::string_view(trace.answer))
      .bind(7, std::string_view(trace.model))
      .bind(8, std::string_view(trace.decision))
      .bind(9, static_cast<std::int64_t>(trace.outcome))
      .bind(10, trace.cost_usd)
      .bind(11, trace.task)
      .bind(12, trace.local_only);
  if (Result<> ran = (*statement)->run(); !ran) return std::unexpected(std::move(ran.error()));
  return true;
}

Result<> TraceStore::judge(std::string_view id, Teacher outcome) {
  Result<Statement*> statement = db_.cached("UPDATE traces SET outcome = ?2 WHERE id = ?1");
  if (!statement) return std::unexpected(std::move(statement.error()));
  (*statement)->bind(1, id).bind(2, static_cast<std::int64_t>(outcome));
  if (Result<> ran = (*statement)->run(); !ran) return ran;
  if (db_.changes() > 0) return {};
  return fail(ErrorCode::kNotFound, fmt::format("no trace of '{}' is kept", id));
}

Result<std::vector<Trace>> TraceStore::list(const TraceFilter& filter, std::size_t most) {
  std::vector<Trace> traces;
  const auto take = [&traces](const Trace& trace) { traces.push_back(trace); };
  Result<> done = read(db_, select("DESC"), filter, static_cast<std::int64_t>(most), take);
  if (!done) return std::unexpected(std::move(done.error()));
  return traces;
}

Result<Trace> TraceStore::show(std::string_view id) {
  Result<std::vector<Trace>> found = list({.id = std::string(id)}, 1);
  if (!found) return std::unexpected(std::move(found.error()));
  if (found->empty() || id.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("no trace of '{}' is kept", id),
                "minimill trace list shows what there is");
  }
  return std::move(found->front());
}

Result<> TraceStore::each(const TraceFilter& filter,
                          const std::function<void(const Trace&)>& take) {
  return read(db_, select("ASC"), filter, -1, take);
}

Result<std::size_t> TraceStore::purge(const TraceFilter& filter) {
  Result<Statement> statement = db_.prepare(fmt::format("DELETE FROM traces WHERE {}", kWhere));
  if (!statement) return std::unexpected(std::move(statement.error()));
  bind_filter(*statement, filter);
  if (Result<> ran = statement->run(); !ran) return std::unexpected(std::move(ran.error()));
  const auto gone = static_cast<std::size_t>(db_.changes());
  if (Result<> wiped = wipe(); !wiped) return std::unexpected(std::move(wiped.error()));
  return gone;
}

Result<std::size_t> TraceStore::prune(WallTime now) {
  Result<Statement> old = db_.prepare(
      "DELETE FROM traces WHERE at_ms < ?1 - 86400000 * coalesce("
      "(SELECT age_days FROM trace_rules WHERE trace_rules.app = traces.app), ?2)");
  if (!old) return std::unexpected(std::move(old.error()));
  old->bind(1, unix_ms(now)).bind(2, static_cast<std::int64_t>(KeepRule{}.age.count()));
  if (Result<> ran = old->run(); !ran) return std::unexpected(std::move(ran.error()));
  auto gone = static_cast<std::size_t>(db_.changes());
  // The newest that together are within the bound stay.
  Result<Statement> large = db_.prepare(
      "DELETE FROM traces WHERE id IN (SELECT id FROM (SELECT id, sum(length(request) + "
      "length(answer) + length(decision) + 200) OVER (ORDER BY at_ms DESC, id) AS bytes "
      "FROM traces) WHERE bytes > ?1)");
  if (!large) return std::unexpected(std::move(large.error()));
  large->bind(1, most_bytes_);
  if (Result<> ran = large->run(); !ran) return std::unexpected(std::move(ran.error()));
  gone += static_cast<std::size_t>(db_.changes());
  if (gone == 0) return gone;
  if (Result<> wiped = wipe(); !wiped) return std::unexpected(std::move(wiped.error()));
  return gone;
}

/// Empties the write-ahead log, in which what was deleted still stands.
Result<> TraceStore::wipe() {
  Result<Statement> statement = db_.prepare("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!statement) return std::unexpected(std::move(statement.error()));
  Result<bool> there = statement->step();
  if (!there) return std::unexpected(std::move(there.error()));
  if (*there && statement->integer(0) != 0) {
    return fail(ErrorCode::kUnavailable, "the traces are deleted, but their log is being read",
                "purge again when no other program reads the file");
  }
  return {};
}

std::string to_json_line(const Trace& trace) {
  boost::json::object line{{"id", trace.id},           {"at_ms", unix_ms(trace.at)},
                           {"app", trace.app},         {"operation", trace.operation},
                           {"request", trace.request}, {"answer", trace.answer},
                           {"model", trace.model},     {"cost_usd", trace.cost_usd},
                           {"task", trace.task},       {"local_only", trace.local_only}};
  line["outcome"] = trace.outcome == Teacher::kRight   ? "right"
                    : trace.outcome == Teacher::kWrong ? "wrong"
                                                       : "unknown";
  if (Result<json::value> decision = parse_json(trace.decision)) line["decision"] = *decision;
  return boost::json::serialize(line);
}

}  // namespace minimill::distill
