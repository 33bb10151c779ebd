#include "tasks/outbox.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "base/rfc3339.h"

namespace minimill::tasks {
namespace {

using sqlite::Database;
using sqlite::Statement;

constexpr std::array<std::string_view, 3> kStates{"pending", "delivered", "dead"};

constexpr int number(EffectState state) { return static_cast<int>(state); }

Effect read_effect(const Statement& row) {
  Effect effect;
  effect.row = row.integer(0);
  effect.id = row.text(1);
  effect.run = {std::string(row.text(2))};
  effect.task = {std::string(row.text(3))};
  effect.url = row.text(4);
  effect.state = static_cast<EffectState>(row.integer(5));
  effect.attempts = static_cast<int>(row.integer(6));
  effect.created = from_unix_ms(row.integer(7));
  effect.next = from_unix_ms(row.integer(8));
  effect.last_error = row.text(9);
  effect.body = row.text(10);
  effect.app = row.text(11);
  return effect;
}

Result<> settle(Database& db, std::int64_t row, EffectState state, WallTime next,
                const std::string& error) {
  // Only what is pending: a late word about what was retried meanwhile changes nothing.
  Result<Statement*> update = db.cached(
      "UPDATE outbox SET state = ?2, next_ms = ?3, last_error = ?4, attempts = attempts + 1 "
      "WHERE row = ?1 AND state = 0");
  if (!update) return std::unexpected(std::move(update.error()));
  (*update)->bind(1, row).bind(2, number(state)).bind(3, unix_ms(next)).bind(4, error);
  return (*update)->run();
}

Result<> forget_before(Database& db, WallTime time) {
  Result<Statement*> purge = db.cached("DELETE FROM outbox WHERE state = 1 AND next_ms < ?1");
  if (!purge) return std::unexpected(std::move(purge.error()));
  return (*purge)->bind(1, unix_ms(time)).run();
}

sqlite::Writer::Job settle_job(std::int64_t row, EffectState state, WallTime next,
                               std::string error) {
  return [row, state, next, error = std::move(error)](Database& db) -> Result<> {
    if (Result<> settled = settle(db, row, state, next, error); !settled) return settled;
    if (state != EffectState::kDelivered) return {};
    return forget_before(db, next - Outbox::kKept);
  };
}

/// `id` nullopt: all in the scope that are dead.
Result<> revive(Database& db, const std::optional<std::string>& id, const policy::Scope& scope,
                WallTime now) {
  Result<Statement*> update = db.cached(
      "UPDATE outbox SET state = 0, next_ms = ?2, attempts = 0 "
      "WHERE state = 2 AND (id = ?1 OR ?1 IS NULL) AND (app = ?3 OR ?3 IS NULL)");
  if (!update) return std::unexpected(std::move(update.error()));
  return (*update)->bind(1, id).bind(2, unix_ms(now)).bind(3, scope.app()).run();
}

sqlite::Writer::Job retry_job(std::string id, policy::Scope scope, WallTime now) {
  return [id = std::move(id), scope = std::move(scope), now](Database& db) -> Result<> {
    if (Result<> revived = revive(db, id, scope, now); !revived) return revived;
    if (db.changes() == 1) return {};
    Result<Statement*> query =
        db.cached("SELECT state FROM outbox WHERE id = ?1 AND (app = ?2 OR ?2 IS NULL)");
    if (!query) return std::unexpected(std::move(query.error()));
    Statement& row = (*query)->bind(1, id).bind(2, scope.app());
    Result<bool> there = row.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) {
      return fail(ErrorCode::kNotFound, fmt::format("no effect '{}'", id),
                  "`minimill outbox list` lists those there are");
    }
    const auto state = static_cast<EffectState>(row.integer(0));
    row.reset();
    return fail(ErrorCode::kConflict, fmt::format("effect '{}' is {}, not dead", id, name(state)));
  };
}

sqlite::Writer::Job retry_all_job(policy::Scope scope, WallTime now,
                                  std::shared_ptr<std::int64_t> count) {
  return [scope = std::move(scope), now, count = std::move(count)](Database& db) -> Result<> {
    Result<> revived = revive(db, std::nullopt, scope, now);
    *count = db.changes();
    return revived;
  };
}

}  // namespace

std::string_view name(EffectState state) { return kStates[static_cast<std::size_t>(state)]; }

Result<EffectState> parse_effect_state(std::string_view text) {
  const auto found = std::ranges::find(kStates, text);
  if (found != kStates.end()) return static_cast<EffectState>(found - kStates.begin());
  return fail_field("state", fmt::format("no state '{}' of an effect", text),
                    fmt::format("use {}", fmt::join(kStates, ", ")));
}

json::object to_json(const Effect& effect) {
  json::object object{{"id", effect.id},
                      {"run", effect.run.value},
                      {"task", effect.task.value},
                      {"url", effect.url},
                      {"state", name(effect.state)},
                      {"attempts", effect.attempts},
                      {"created_at", rfc3339(effect.created)}};
  const bool pending = effect.state == EffectState::kPending;
  object[pending ? "next_at" : "settled_at"] = rfc3339(effect.next);
  if (!effect.last_error.empty()) object["last_error"] = effect.last_error;
  return object;
}

json::object outcome_of(const Task& task) {
  json::object object{{"id", task.spec.id.value},      {"run", task.run.value},
                      {"title", task.spec.title},      {"state", name(task.state)},
                      {"lane", chat::name(task.lane)}, {"model", task.model},
                      {"operation", task.operation},   {"attempts", task.attempts},
                      {"answer", task.answer},         {"error", task.error},
                      {"cost_usd", task.cost_usd},     {"arrived_at", rfc3339(task.due)}};
  const std::optional<bool> check = passed(task);
  object["passed"] = check ? json::value(*check) : json::value(nullptr);
  if (task.finished) {
    object["finished_at"] = rfc3339(*task.finished);
    if (task.spec.deadline_s) {
      const double took_s = std::chrono::duration<double>(*task.finished - task.due).count();
      object["deadline_met"] = took_s <= *task.spec.deadline_s;
    }
  }
  return object;
}

Result<> insert_effect(Database& db, const Task& task, WallTime now) {
  Result<Statement*> row = db.cached(
      "INSERT INTO outbox(id, run, task, url, body, created_ms, next_ms, app) "
      "VALUES('effect_' || lower(hex(randomblob(16))), ?1, ?2, ?3, ?4, ?5, ?5, ?6)");
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)
      ->bind(1, task.run.value)
      .bind(2, task.spec.id.value)
      .bind(3, task.spec.notify)
      .bind(4, json::serialize(outcome_of(task)))
      .bind(5, unix_ms(now))
      .bind(6, task.app);
  return (*row)->run();
}

Outbox::Outbox(Database reader, sqlite::Writer& writer)
    : reader_(std::move(reader)), writer_(&writer) {}

Result<Outbox> Outbox::open(const std::filesystem::path& path, sqlite::Writer& writer) {
  Result<Database> reader = Database::open(path, Database::Mode::kReadOnly);
  if (!reader) return std::unexpected(std::move(reader.error()));
  return Outbox(std::move(*reader), writer);
}

Result<std::vector<Outbox::Turn>> Outbox::next(std::size_t limit) {
  Result<Statement*> query = reader_.cached(
      "SELECT row, next_ms FROM outbox WHERE state = 0 ORDER BY next_ms, row LIMIT ?1");
  if (!query) return std::unexpected(std::move(query.error()));
  Statement& row = (*query)->bind(1, static_cast<std::int64_t>(limit));
  std::vector<Turn> turns;
  while (true) {
    Result<bool> there = row.step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return turns;
    turns.push_back({.row = row.integer(0), .at = from_unix_ms(row.integer(1))});
  }
}

Result<std::optional<Effect>> Outbox::find(std::int64_t row) {
  Result<Statement*> query = reader_.cached(
      "SELECT row, id, run, task, url, state, attempts, created_ms, next_ms, last_error, body, "
      "app FROM outbox WHERE row = ?1");
  if (!query) return std::unexpected(std::move(query.error()));
  Result<bool> there = (*query)->bind(1, row).step();
  if (!there) return std::unexpected(std::move(there.error()));
  if (!*there) return std::nullopt;
  Effect effect = read_effect(**query);
  (*query)->reset();
  return effect;
}

Result<std::vector<Effect>> Outbox::list(const Filter& filter) {
  Result<Statement*> query = reader_.cached(
      "SELECT row, id, run, task, url, state, attempts, created_ms, next_ms, last_error, '', "
      "app FROM outbox WHERE (state = ?1 OR ?1 IS NULL) AND (app = ?3 OR ?3 IS NULL) "
      "ORDER BY row DESC LIMIT ?2");
  if (!query) return std::unexpected(std::move(query.error()));
  if (filter.state) (*query)->bind(1, number(*filter.state));
  (*query)->bind(2, static_cast<std::int64_t>(filter.limit)).bind(3, filter.scope.app());
  std::vector<Effect> effects;
  while (true) {
    Result<bool> there = (*query)->step();
    if (!there) return std::unexpected(std::move(there.error()));
    if (!*there) return effects;
    effects.push_back(read_effect(**query));
  }
}

asio::awaitable<Result<>> Outbox::delivered(std::int64_t row, WallTime now) {
  sqlite::Writer::Job job = settle_job(row, EffectState::kDelivered, now, {});
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<>> Outbox::failed(std::int64_t row, WallTime next, std::string error) {
  sqlite::Writer::Job job = settle_job(row, EffectState::kPending, next, std::move(error));
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<>> Outbox::died(std::int64_t row, WallTime now, std::string error) {
  sqlite::Writer::Job job = settle_job(row, EffectState::kDead, now, std::move(error));
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<>> Outbox::retry(std::string id, policy::Scope scope, WallTime now) {
  sqlite::Writer::Job job = retry_job(std::move(id), std::move(scope), now);
  co_return co_await writer_->run(std::move(job));
}

asio::awaitable<Result<std::int64_t>> Outbox::retry_all(policy::Scope scope, WallTime now) {
  auto count = std::make_shared<std::int64_t>(0);
  sqlite::Writer::Job job = retry_all_job(std::move(scope), now, count);
  Result<> done = co_await writer_->run(std::move(job));
  if (!done) co_return std::unexpected(std::move(done.error()));
  co_return *count;
}

}  // namespace minimill::tasks
