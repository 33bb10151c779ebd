#include "ledger/ledger.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "base/json.h"
#include "ledger/decision_json.h"
#include "sqlite/migrations.h"

namespace minimill::ledger {
namespace {

using sqlite::Database;
using sqlite::Statement;

constexpr std::array kMigrations{
    // 1
    "CREATE TABLE requests("
    "  id TEXT PRIMARY KEY, at_ms INTEGER NOT NULL, app TEXT NOT NULL, task TEXT, run TEXT,"
    "  model_asked TEXT NOT NULL, stream INTEGER NOT NULL, privacy TEXT NOT NULL,"
    "  lane INTEGER NOT NULL, model TEXT NOT NULL, operation TEXT NOT NULL,"
    "  p_local_ok REAL NOT NULL, threshold REAL NOT NULL, reasons TEXT NOT NULL,"
    "  status INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX requests_by_time ON requests(at_ms);"
    "CREATE INDEX requests_by_task ON requests(task, run) WHERE task IS NOT NULL;"
    "CREATE TABLE attempts("
    "  request TEXT NOT NULL, number INTEGER NOT NULL, lane INTEGER NOT NULL,"
    "  backend TEXT NOT NULL, model TEXT NOT NULL, queued_ms REAL NOT NULL,"
    "  first_token_ms REAL NOT NULL, duration_ms REAL NOT NULL, prompt_tokens INTEGER NOT NULL,"
    "  completion_tokens INTEGER NOT NULL, cached_prompt_tokens INTEGER NOT NULL,"
    "  cost_usd REAL NOT NULL, error TEXT NOT NULL,"
    "  PRIMARY KEY(request, number)) WITHOUT ROWID;"
    "CREATE TABLE outcomes("
    "  request TEXT NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, ok INTEGER NOT NULL,"
    "  detail TEXT NOT NULL);"
    "CREATE INDEX outcomes_by_request ON outcomes(request);"
    "CREATE TABLE states(name TEXT PRIMARY KEY, bytes BLOB NOT NULL) WITHOUT ROWID;",
    // 2
    "ALTER TABLE requests ADD COLUMN trace TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE attempts ADD COLUMN held_tokens INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempts ADD COLUMN held_ms REAL NOT NULL DEFAULT 0;"
    "ALTER TABLE attempts ADD COLUMN p_held REAL NOT NULL DEFAULT 0;"
    "CREATE INDEX requests_by_app ON requests(app, at_ms);",
    // 3
    "ALTER TABLE attempts ADD COLUMN hedge INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE attempts ADD COLUMN usage_estimated INTEGER NOT NULL DEFAULT 0;",
    // 4: whose a request is was read from the label before, which apps may set as they like
    "ALTER TABLE requests ADD COLUMN origin TEXT NOT NULL DEFAULT 'app';"
    "ALTER TABLE requests ADD COLUMN parent TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE requests RENAME COLUMN trace TO label;"
    "UPDATE requests SET origin = 'shadow', parent = label, label = '' WHERE app = 'shadow';"
    "UPDATE requests SET origin = 'batch', label = '' "
    "  WHERE task IS NOT NULL AND label GLOB 'batch_*';"
    "UPDATE requests SET origin = 'task' WHERE task IS NOT NULL AND origin = 'app';",
    // 5
    "ALTER TABLE requests ADD COLUMN cloud_usd REAL NOT NULL DEFAULT 0;",
};

constexpr std::string_view kRequestColumns =
    "id, at_ms, app, task, run, model_asked, stream, privacy, lane, model, operation, p_local_ok, "
    "threshold, reasons, status, label, origin, parent, cloud_usd";

Result<> insert_rows(Database& db, const RequestRecord& record) {
  Result<Statement*> request = db.cached(
      "INSERT OR REPLACE INTO requests(id, at_ms, app, task, run, model_asked, stream, privacy, "
      "lane, model, operation, p_local_ok, threshold, reasons, status, label, origin, parent, "
      "cloud_usd) VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19)");
  if (!request) return std::unexpected(std::move(request.error()));
  const auto text_or_null = [](const std::string& text) {
    return text.empty() ? std::optional<std::string_view>{} : std::string_view(text);
  };
  const chat::Decision& decision = record.decision;
  (*request)
      ->bind(1, record.id.value)
      .bind(2, unix_ms(record.at))
      .bind(3, record.app)
      .bind(4, text_or_null(record.task.value))
      .bind(5, text_or_null(record.run.value))
      .bind(6, record.model_asked)
      .bind(7, record.stream)
      .bind(8, record.privacy)
      .bind(9, chat::index(decision.lane))
      .bind(10, decision.model)
      .bind(11, decision.operation)
      .bind(12, decision.p_local_ok)
      .bind(13, decision.threshold)
      .bind(14, reasons_to_text(decision.reasons))
      .bind(15, record.status)
      .bind(16, record.label)
      .bind(17, chat::name(record.origin))
      .bind(18, record.parent.value)
      .bind(19, record.cloud_usd);
  if (Result<> done = (*request)->run(); !done) return done;

  for (std::size_t i = 0; i < record.attempts.size(); ++i) {
    const Attempt& attempt = record.attempts[i];
    Result<Statement*> row = db.cached(
        "INSERT OR REPLACE INTO attempts "
        "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)");
    if (!row) return std::unexpected(std::move(row.error()));
    (*row)
        ->bind(1, record.id.value)
        .bind(2, static_cast<std::int64_t>(i))
        .bind(3, chat::index(attempt.lane))
        .bind(4, attempt.backend)
        .bind(5, attempt.model)
        .bind(6, attempt.queued_ms)
        .bind(7, attempt.first_token_ms)
        .bind(8, attempt.duration_ms)
        .bind(9, attempt.usage.prompt_tokens)
        .bind(10, attempt.usage.completion_tokens)
        .bind(11, attempt.usage.cached_prompt_tokens)
        .bind(12, attempt.cost_usd)
        .bind(13, attempt.error)
        .bind(14, attempt.held_tokens)
        .bind(15, attempt.held_ms)
        .bind(16, attempt.p_held)
        .bind(17, attempt.hedge)
        .bind(18, attempt.usage.estimated);
    if (Result<> done = (*row)->run(); !done) return done;
  }
  return {};
}

Result<> insert_row(Database& db, const Outcome& outcome) {
  Result<Statement*> row = db.cached("INSERT INTO outcomes VALUES(?1,?2,?3,?4,?5)");
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)
      ->bind(1, outcome.request.value)
      .bind(2, unix_ms(outcome.at))
      .bind(3, outcome.kind)
      .bind(4, outcome.ok)
      .bind(5, outcome.detail);
  return (*row)->run();
}

/// The sums follow whatever is recorded, also what is recorded anew.
Result<> insert(Database& db, const RequestRecord& record) {
  const std::string& id = record.id.value;
  Result<> done = count_request(db, id, Counted::kNoLonger);
  if (done) done = count_figures(db, id, Counted::kNoLonger);
  if (done) done = insert_rows(db, record);
  if (done) done = count_request(db, id, Counted::kNow);
  if (done) done = count_figures(db, id, Counted::kNow);
  return done;
}

/// The kind that the daily sums count.
constexpr std::string_view kCheck = "check";

Result<> insert(Database& db, const Outcome& outcome) {
  const std::string& id = outcome.request.value;
  const bool summed = outcome.kind == kCheck;
  Result<> done = count_figures(db, id, Counted::kNoLonger);
  if (done && summed) done = count_request(db, id, Counted::kNoLonger);
  if (done) done = insert_row(db, outcome);
  if (done && summed) done = count_request(db, id, Counted::kNow);
  if (done) done = count_figures(db, id, Counted::kNow);
  return done;
}

chat::Lane lane_of(std::int64_t number) {
  return number == chat::index(chat::Lane::kCloud) ? chat::Lane::kCloud : chat::Lane::kLocal;
}

RequestRecord read_request(const Statement& row) {
  RequestRecord record;
  record.id = {std::string(row.text(0))};
  record.at = from_unix_ms(row.integer(1));
  record.app = row.text(2);
  record.task = {std::string(row.text(3))};
  record.run = {std::string(row.text(4))};
  record.model_asked = row.text(5);
  record.stream = row.integer(6) != 0;
  record.privacy = row.text(7);
  record.decision.lane = lane_of(row.integer(8));
  record.decision.model = row.text(9);
  record.decision.operation = row.text(10);
  record.decision.p_local_ok = row.real(11);
  record.decision.threshold = row.real(12);
  record.decision.reasons = reasons_from_text(row.text(13));
  record.decision.degraded = !chat::degraded(record.decision).empty();
  record.status = static_cast<int>(row.integer(14));
  record.label = row.text(15);
  record.origin = chat::parse_origin(row.text(16)).value_or(chat::Origin::kApp);
  record.parent = {std::string(row.text(17))};
  record.cloud_usd = row.real(18);
  return record;
}

Result<> read_attempts(Database& db, RequestRecord& record) {
  Result<Statement*> rows = db.cached(
      "SELECT lane, backend, model, queued_ms, first_token_ms, duration_ms, prompt_tokens, "
      "completion_tokens, cached_prompt_tokens, cost_usd, error, held_tokens, held_ms, p_held, "
      "hedge, usage_estimated "
      "FROM attempts "
      "WHERE request = ?1 ORDER BY number");
  if (!rows) return std::unexpected(std::move(rows.error()));
  Statement& row = **rows;
  row.bind(1, record.id.value);
  while (true) {
    Result<bool> there = row.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return {};
    Attempt& attempt = record.attempts.emplace_back();
    attempt.lane = lane_of(row.integer(0));
    attempt.backend = row.text(1);
    attempt.model = row.text(2);
    attempt.queued_ms = row.real(3);
    attempt.first_token_ms = row.real(4);
    attempt.duration_ms = row.real(5);
    attempt.usage = {.prompt_tokens = row.integer(6),
                     .completion_tokens = row.integer(7),
                     .cached_prompt_tokens = row.integer(8)};
    attempt.cost_usd = row.real(9);
    attempt.error = row.text(10);
    attempt.held_tokens = row.integer(11);
    attempt.held_ms = row.real(12);
    attempt.p_held = row.real(13);
    attempt.hedge = row.integer(14) != 0;
    attempt.usage.estimated = row.integer(15) != 0;
  }
}

/// All requests a statement yields, with their attempts.
Result<std::vector<RequestRecord>> read_all(Database& db, Statement& rows) {
  std::vector<RequestRecord> records;
  while (true) {
    Result<bool> there = rows.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) break;
    records.push_back(read_request(rows));
  }
  for (RequestRecord& record : records) {
    if (Result<> read = read_attempts(db, record); !read) return std::unexpected(read.error());
  }
  return records;
}

}  // namespace

Result<> migrate_ledger(Database& db) {
  if (Result<> migrated = sqlite::migrate(db, "ledger", kMigrations); !migrated) return migrated;
  if (Result<> migrated = migrate_daily_sums(db); !migrated) return migrated;
  return migrate_figures(db);
}

Ledger::Ledger(Database reader, sqlite::Writer& writer)
    : reader_(std::move(reader)), writer_(&writer) {}

Result<Ledger> Ledger::open(const std::filesystem::path& path, sqlite::Writer& writer) {
  Result<Database> reader = Database::open(path, Database::Mode::kReadOnly);
  if (!reader) return std::unexpected(std::move(reader.error()));
  return Ledger(std::move(*reader), writer);
}

void Ledger::record(RequestRecord record) {
  writer_->post([record = std::move(record)](Database& db) { return insert(db, record); });
}

void Ledger::record(Outcome outcome) {
  writer_->post([outcome = std::move(outcome)](Database& db) { return insert(db, outcome); });
}

asio::awaitable<Result<>> Ledger::store(Outcome outcome) {
  sqlite::Writer::Job job = [outcome = std::move(outcome)](Database& db) {
    return insert(db, outcome);
  };
  co_return co_await writer_->run(std::move(job));
}

Result<std::optional<RequestRecord>> Ledger::find(const RequestId& id) {
  static const std::string kSql =
      "SELECT " + std::string(kRequestColumns) + " FROM requests WHERE id = ?1";
  Result<Statement*> row = reader_.cached(kSql);
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)->bind(1, id.value);
  Result<std::vector<RequestRecord>> found = read_all(reader_, **row);
  if (!found) return std::unexpected(std::move(found.error()));
  if (found->empty()) return std::nullopt;
  return std::move(found->front());
}

Result<std::vector<RequestRecord>> Ledger::of_task(const TaskId& task, const RunId& run) {
  static const std::string kSql =
      "SELECT " + std::string(kRequestColumns) +
      " FROM requests WHERE task = ?1 AND run = coalesce(?2, "
      "(SELECT run FROM requests WHERE task = ?1 ORDER BY at_ms DESC LIMIT 1)) ORDER BY at_ms, id";
  Result<Statement*> rows = reader_.cached(kSql);
  if (!rows) return std::unexpected(std::move(rows.error()));
  (*rows)->bind(1, task.value);
  if (!run.empty()) (*rows)->bind(2, run.value);
  return read_all(reader_, **rows);
}

Result<std::vector<Outcome>> Ledger::outcomes(const RequestId& id) {
  Result<Statement*> rows = reader_.cached(
      "SELECT at_ms, kind, ok, detail FROM outcomes WHERE request = ?1 ORDER BY rowid");
  if (!rows) return std::unexpected(std::move(rows.error()));
  Statement& row = **rows;
  row.bind(1, id.value);
  std::vector<Outcome> outcomes;
  while (true) {
    Result<bool> there = row.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return outcomes;
    outcomes.push_back({.request = id,
                        .at = from_unix_ms(row.integer(0)),
                        .kind = std::string(row.text(1)),
                        .ok = row.integer(2) != 0,
                        .detail = std::string(row.text(3))});
  }
}

Result<std::vector<RequestRecord>> Ledger::recent(std::size_t limit) {
  static const std::string kSql =
      "SELECT " + std::string(kRequestColumns) + " FROM requests ORDER BY at_ms DESC LIMIT ?1";
  Result<Statement*> rows = reader_.cached(kSql);
  if (!rows) return std::unexpected(std::move(rows.error()));
  (*rows)->bind(1, static_cast<std::int64_t>(limit));
  return read_all(reader_, **rows);
}

Result<RequestPage> Ledger::page(const RequestFilter& filter) {
  const RequestCursor after = filter.after.value_or(
      RequestCursor{.at_ms = std::numeric_limits<std::int64_t>::max(), .id = {}});
  Result<Statement*> looked = reader_.cached(
      "SELECT at_ms FROM requests WHERE at_ms <= ?1 ORDER BY at_ms DESC LIMIT 1 OFFSET ?2");
  if (!looked) return std::unexpected(std::move(looked.error()));
  (*looked)->bind(1, after.at_ms).bind(2, kMostLooked);
  Result<bool> more = (*looked)->step();
  if (!more) return std::unexpected(std::move(more.error()));
  const std::int64_t from_ms = *more ? (*looked)->integer(0) : 0;
  (*looked)->reset();

  static const std::string kSql =
      "SELECT " + std::string(kRequestColumns) +
      " FROM requests WHERE at_ms >= ?1 AND (at_ms, id) < (?2, ?3) AND (?4 IS NULL OR app = ?4) "
      "AND (?5 = '' OR operation = ?5) AND (?6 = '' OR origin = ?6) AND (?7 IS NULL OR lane = ?7) "
      "AND (NOT ?8 OR status >= 400) AND (?9 = '' OR instr(lower(id || char(10) || app || "
      "char(10) || coalesce(task, '') || char(10) || operation || char(10) || model || char(10) || "
      "label), lower(?9)) > 0) ORDER BY at_ms DESC, id DESC LIMIT ?10";
  Result<Statement*> rows = reader_.cached(kSql);
  if (!rows) return std::unexpected(std::move(rows.error()));
  const std::size_t limit = std::clamp<std::size_t>(filter.limit, 1, kMostOnAPage);
  (*rows)->bind(1, from_ms).bind(2, after.at_ms).bind(3, after.id);
  if (filter.app) (*rows)->bind(4, *filter.app);
  (*rows)->bind(5, filter.operation).bind(6, filter.origin);
  if (filter.lane) (*rows)->bind(7, chat::index(*filter.lane));
  (*rows)->bind(8, filter.failed).bind(9, filter.text).bind(10, static_cast<std::int64_t>(limit));
  Result<std::vector<RequestRecord>> read = read_all(reader_, **rows);
  if (!read) return std::unexpected(std::move(read.error()));
  RequestPage page{.requests = std::move(*read), .next = {}};
  if (page.requests.size() == limit) {
    const RequestRecord& last = page.requests.back();
    page.next = {.at_ms = unix_ms(last.at), .id = last.id.value};
  } else if (*more) {
    page.next = {.at_ms = from_ms, .id = {}};
  }
  return page;
}

Result<Totals> Ledger::totals(WallTime since) {
  Result<Statement*> query = reader_.cached(
      "SELECT total(requests), total(answered * (lane = 0)), total(answered * (lane = 1)), "
      "total(errors), total(prompt_tokens), total(completion_tokens), total(cost_usd) "
      "FROM daily_sums WHERE day >= ?1 / 86400000");
  if (!query) return std::unexpected(std::move(query.error()));
  Statement& row = **query;
  row.bind(1, unix_ms(since));
  Result<bool> there = row.step();
  if (!there) return std::unexpected(std::move(there.error()));
  Totals totals{.requests = row.integer(0),
                .local = row.integer(1),
                .cloud = row.integer(2),
                .errors = row.integer(3),
                .prompt_tokens = row.integer(4),
                .completion_tokens = row.integer(5),
                .cost_usd = row.real(6)};
  row.reset();
  return totals;
}

Result<std::vector<DayCost>> Ledger::costs(WallTime since) {
  Result<Statement*> rows = reader_.cached(
      "SELECT app, day, sum(cost_usd), operation FROM daily_sums "
      "WHERE day >= ?1 / 86400000 AND cost_usd > 0 GROUP BY app, operation, day");
  if (!rows) return std::unexpected(std::move(rows.error()));
  Statement& row = **rows;
  row.bind(1, unix_ms(since));
  std::vector<DayCost> costs;
  while (true) {
    Result<bool> there = row.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return costs;
    costs.push_back({.app = std::string(row.text(0)),
                     .operation = std::string(row.text(3)),
                     .day = WallTime{std::chrono::days{row.integer(1)}},
                     .cost_usd = row.real(2)});
  }
}

Result<std::vector<DailySum>> Ledger::daily(WallTime since) { return daily_sums(reader_, since); }

Result<std::vector<FiguresRow>> Ledger::figures(WallTime since, WallTime until) {
  return read_figures(reader_, since, until);
}

void Ledger::save_state(std::string name, std::string bytes) {
  save_state(std::move(name), [bytes = std::move(bytes)]() mutable { return std::move(bytes); });
}

void Ledger::save_state(std::string name, std::move_only_function<std::string()> encode) {
  writer_->post([name = std::move(name),
                 encode = std::move(encode)](Database& db) mutable -> Result<> {
    const std::string bytes = encode();
    Result<Statement*> row = db.cached("INSERT OR REPLACE INTO states(name, bytes) VALUES(?1, ?2)");
    if (!row) return std::unexpected(std::move(row.error()));
    (*row)->bind(1, name).bind_blob(2, bytes);
    return (*row)->run();
  });
}

Result<std::optional<std::string>> Ledger::load_state(std::string_view name) {
  Result<Statement*> row = reader_.cached("SELECT bytes FROM states WHERE name = ?1");
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)->bind(1, name);
  Result<bool> there = (*row)->step();
  if (!there) return std::unexpected(std::move(there.error()));
  if (!*there) return std::nullopt;
  std::string bytes((*row)->blob(0));
  (*row)->reset();
  return bytes;
}

}  // namespace minimill::ledger
