#include "policy/app_store.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <utility>

#include "base/json.h"
#include "policy/key.h"
#include "sqlite/migrations.h"

namespace minimill::policy {
namespace {

using sqlite::Database;
using sqlite::Statement;

constexpr std::array kMigrations{
    // 1
    "CREATE TABLE apps("
    "  name TEXT PRIMARY KEY, requests_per_minute INTEGER, usd_per_day REAL, usd_per_month REAL,"
    "  lane TEXT, models TEXT NOT NULL, privacy TEXT) WITHOUT ROWID;"
    "CREATE TABLE keys("
    "  id TEXT PRIMARY KEY, app TEXT NOT NULL REFERENCES apps(name) ON DELETE CASCADE,"
    "  made_ms INTEGER NOT NULL, hash TEXT NOT NULL) WITHOUT ROWID;",
    // 2
    "CREATE TABLE budgets("
    "  scope TEXT NOT NULL, of TEXT NOT NULL, usd_per_day REAL, usd_per_month REAL,"
    "  soft REAL NOT NULL, PRIMARY KEY(scope, of)) WITHOUT ROWID;",
};

constexpr std::size_t kIdBytes = 11;  // "mm-" and enough to tell keys apart

std::string models_json(const App& app) {
  return boost::json::serialize(boost::json::array(app.models.begin(), app.models.end()));
}

/// One row of apps; kCorrupt for what cannot have been written by set().
Result<App> read_app(const Statement& row) {
  App app;
  app.name = row.text(0);
  app.requests_per_minute = row.optional_integer(1);
  app.usd_per_day = row.optional_real(2);
  app.usd_per_month = row.optional_real(3);
  if (const std::optional<std::string> lane = row.optional_text(4)) {
    app.lane = *lane == chat::name(chat::Lane::kLocal) ? chat::Lane::kLocal : chat::Lane::kCloud;
  }
  const Result<boost::json::value> models = parse_json(row.text(5));
  if (!models || !models->is_array()) {
    return fail(ErrorCode::kCorrupt, fmt::format("the app '{}' is damaged", app.name),
                "remove it and add it again");
  }
  for (const boost::json::value& model : models->get_array()) {
    if (model.is_string()) app.models.emplace_back(model.get_string());
  }
  if (const std::optional<std::string> privacy = row.optional_text(6)) {
    Result<policy::Privacy> parsed = policy::parse_privacy(*privacy, "privacy");
    if (!parsed) return std::unexpected(std::move(parsed.error()));
    app.privacy = *parsed;
  }
  return app;
}

Result<> write_app(Database& db, const App& app) {
  Result<Statement*> statement = db.cached(
      "INSERT INTO apps(name, requests_per_minute, usd_per_day, usd_per_month, lane, models, "
      "privacy)"
      " VALUES(?1,?2,?3,?4,?5,?6,?7) ON CONFLICT(name) DO UPDATE SET"
      " requests_per_minute=?2, usd_per_day=?3, usd_per_month=?4, lane=?5, models=?6, privacy=?7");
  if (!statement) return std::unexpected(std::move(statement.error()));
  std::optional<std::string_view> lane;
  if (app.lane) lane = chat::name(*app.lane);
  std::optional<std::string_view> privacy;
  if (app.privacy) privacy = policy::name(*app.privacy);
  const std::string models = models_json(app);
  (*statement)
      ->bind(1, app.name)
      .bind(2, app.requests_per_minute)
      .bind(3, app.usd_per_day)
      .bind(4, app.usd_per_month)
      .bind(5, lane)
      .bind(6, models)
      .bind(7, privacy);
  return (*statement)->run();
}

Result<> remove_where(Database& db, std::string_view sql, std::string_view what,
                      std::string_view kind) {
  Result<Statement*> statement = db.cached(sql);
  if (!statement) return std::unexpected(std::move(statement.error()));
  (*statement)->bind(1, what);
  if (Result<> ran = (*statement)->run(); !ran) return ran;
  if (db.changes() > 0) return {};
  return fail(ErrorCode::kNotFound, fmt::format("there is no {} '{}'", kind, what),
              "minimill key list shows what there is");
}

}  // namespace

Result<AppStore> AppStore::open(const std::filesystem::path& path) {
  Result<Database> db = Database::open(path, Database::Mode::kReadWrite);
  if (!db) return std::unexpected(std::move(db.error()));
  if (path != ":memory:" && ::chmod(path.c_str(), S_IRUSR | S_IWUSR) != 0) {
    return fail(ErrorCode::kIo, fmt::format("cannot keep {} to its owner", path.string()));
  }
  if (Result<> migrated = sqlite::migrate(*db, "apps", kMigrations); !migrated) {
    return std::unexpected(std::move(migrated.error()));
  }
  AppStore store(std::move(*db));
  if (Result<> loaded = store.load(); !loaded) return std::unexpected(std::move(loaded.error()));
  return store;
}

Result<std::int64_t> AppStore::data_version() {
  Result<Statement*> statement = db_.cached("PRAGMA data_version");
  if (!statement) return std::unexpected(std::move(statement.error()));
  Result<bool> row = (*statement)->step();
  if (!row) return std::unexpected(std::move(row.error()));
  const std::int64_t version = (*statement)->integer(0);
  (*statement)->reset();
  return version;
}

Result<> AppStore::load() {
  Result<std::int64_t> version = data_version();
  if (!version) return std::unexpected(std::move(version.error()));
  std::map<std::string, App, std::less<>> apps;
  Result<Statement*> rows = db_.cached(
      "SELECT name, requests_per_minute, usd_per_day, usd_per_month, lane, models, privacy "
      "FROM apps");
  if (!rows) return std::unexpected(std::move(rows.error()));
  while (true) {
    Result<bool> row = (*rows)->step();
    if (!row) return std::unexpected(std::move(row.error()));
    if (!*row) break;
    Result<App> app = read_app(**rows);
    if (!app) return std::unexpected(std::move(app.error()));
    apps.emplace(app->name, std::move(*app));
  }
  std::vector<StoredKey> keys;
  rows = db_.cached("SELECT id, app, made_ms, hash FROM keys ORDER BY made_ms");
  if (!rows) return std::unexpected(std::move(rows.error()));
  while (true) {
    Result<bool> row = (*rows)->step();
    if (!row) return std::unexpected(std::move(row.error()));
    if (!*row) break;
    keys.push_back({.info = {.id = std::string((*rows)->text(0)),
                             .app = std::string((*rows)->text(1)),
                             .made_at = from_unix_ms((*rows)->integer(2))},
                    .hash = std::string((*rows)->text(3))});
  }
  Result<std::vector<Budget>> budgets = load_budgets();
  if (!budgets) return std::unexpected(std::move(budgets.error()));
  apps_ = std::move(apps);
  keys_ = std::move(keys);
  budgets_ = std::move(*budgets);
  version_ = *version;
  ++changes_;
  return {};
}

Result<std::vector<Budget>> AppStore::load_budgets() {
  Result<Statement*> rows = db_.cached(
      "SELECT scope, of, usd_per_day, usd_per_month, soft FROM budgets ORDER BY scope, of");
  if (!rows) return std::unexpected(std::move(rows.error()));
  std::vector<Budget> budgets;
  while (true) {
    Result<bool> row = (*rows)->step();
    if (!row) return std::unexpected(std::move(row.error()));
    if (!*row) return budgets;
    Result<BudgetScope> scope = parse_budget_scope((*rows)->text(0));
    if (!scope) return std::unexpected(std::move(scope.error()));
    budgets.push_back({.scope = *scope,
                       .of = std::string((*rows)->text(1)),
                       .usd_per_day = (*rows)->optional_real(2),
                       .usd_per_month = (*rows)->optional_real(3),
                       .soft = (*rows)->real(4)});
  }
}

Result<> AppStore::set(const Budget& budget) {
  if (Result<> good = check(budget); !good) return good;
  Result<Statement*> row = db_.cached(
      "INSERT OR REPLACE INTO budgets(scope, of, usd_per_day, usd_per_month, soft) "
      "VALUES(?1,?2,?3,?4,?5)");
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)
      ->bind(1, name(budget.scope))
      .bind(2, budget.of)
      .bind(3, budget.usd_per_day)
      .bind(4, budget.usd_per_month)
      .bind(5, budget.soft);
  if (Result<> ran = (*row)->run(); !ran) return ran;
  return load();
}

Result<> AppStore::remove_budget(BudgetScope scope, std::string_view of) {
  Result<Statement*> row = db_.cached("DELETE FROM budgets WHERE scope = ?1 AND of = ?2");
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)->bind(1, name(scope)).bind(2, of);
  if (Result<> ran = (*row)->run(); !ran) return ran;
  if (db_.changes() > 0) return load();
  return fail(ErrorCode::kNotFound, fmt::format("there is no budget of {}", to_string(scope, of)),
              "minimill budget list shows what there is");
}

Result<> AppStore::refresh() {
  Result<std::int64_t> version = data_version();
  if (!version) return std::unexpected(std::move(version.error()));
  return *version == version_ ? Result<>{} : load();
}

Result<> AppStore::set(const App& app) {
  if (Result<> good = check(app); !good) return good;
  if (Result<> written = write_app(db_, app); !written) return written;
  return load();
}

Result<std::string> AppStore::add_key(const App& app, WallTime now) {
  if (Result<> saved = set(app); !saved) return std::unexpected(std::move(saved.error()));
  Result<std::string> key = make_key();
  if (!key) return key;
  Result<Statement*> statement =
      db_.cached("INSERT INTO keys(id, app, made_ms, hash) VALUES(?1,?2,?3,?4)");
  if (!statement) return std::unexpected(std::move(statement.error()));
  const std::string hash = hash_of(*key);
  (*statement)
      ->bind(1, key->substr(0, kIdBytes))
      .bind(2, app.name)
      .bind(3, unix_ms(now))
      .bind(4, hash);
  if (Result<> ran = (*statement)->run(); !ran) return std::unexpected(std::move(ran.error()));
  if (Result<> loaded = load(); !loaded) return std::unexpected(std::move(loaded.error()));
  return key;
}

Result<> AppStore::remove_app(std::string_view name) {
  Result<> removed = remove_where(db_, "DELETE FROM apps WHERE name = ?1", name, "app");
  return removed ? load() : removed;
}

Result<> AppStore::remove_key(std::string_view id) {
  Result<> removed = remove_where(db_, "DELETE FROM keys WHERE id = ?1", id, "key");
  return removed ? load() : removed;
}

const App* AppStore::find(std::string_view key) const {
  const std::string hash = hash_of(key);
  const StoredKey* found = nullptr;
  for (const StoredKey& stored : keys_) {
    if (same_hash(stored.hash, hash)) found = &stored;
  }
  return found == nullptr ? nullptr : named(found->info.app);
}

const App* AppStore::named(std::string_view name) const {
  const auto found = apps_.find(name);
  return found == apps_.end() ? nullptr : &found->second;
}

std::vector<App> AppStore::apps() const {
  std::vector<App> all;
  for (const auto& [name, app] : apps_) all.push_back(app);
  return all;
}

std::vector<KeyInfo> AppStore::keys() const {
  std::vector<KeyInfo> all;
  for (const StoredKey& key : keys_) all.push_back(key.info);
  return all;
}

}  // namespace minimill::policy
