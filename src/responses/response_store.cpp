#include "responses/response_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <ranges>
#include <unordered_set>
#include <utility>

#include "base/json.h"
#include "protocol/responses_items.h"
#include "protocol/responses_object.h"
#include "protocol/utf8.h"
#include "sqlite/migrations.h"

namespace minimill::responses {
namespace {

using sqlite::Database;
using sqlite::Statement;

// Blobs, as their length is their bytes and is known without reading them.
constexpr std::array kMigrations{
    // 1
    "CREATE TABLE responses("
    "  id TEXT PRIMARY KEY, created_ms INTEGER NOT NULL, previous TEXT NOT NULL,"
    "  input BLOB NOT NULL, output BLOB NOT NULL, response BLOB NOT NULL);"
    "CREATE INDEX responses_by_time ON responses(created_ms);",
    // 2: whose it is, and under which privacy it was asked; NULL where nobody noted it
    "ALTER TABLE responses ADD COLUMN app TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE responses ADD COLUMN privacy TEXT;",
};

/// So that a long pause does not make one put() delete for seconds.
constexpr std::int64_t kMaxPruned = 256;

constexpr std::size_t kShownBytes = 64;  // of an id in an error

std::unexpected<Error> no_response(std::string_view id) {
  return fail(ErrorCode::kNotFound,
              fmt::format("no response '{}' is stored", protocol::utf8_prefix(id, kShownBytes)),
              "it may have expired, or was made with store false");
}

std::unexpected<Error> damaged(std::string_view id, const Error& error) {
  return fail(ErrorCode::kCorrupt,
              fmt::format("the stored response '{}' is damaged: {}",
                          protocol::utf8_prefix(id, kShownBytes), error.message),
              "begin the conversation anew");
}

std::unexpected<Error> too_long(std::string_view how) {
  return std::unexpected(fail(ErrorCode::kTooLarge, fmt::format("the conversation {}", how),
                              "begin a new one with a summary of it")
                             .error()
                             .with_field("previous_response_id"));
}

Result<json::array> array_in(std::string_view text) {
  Result<json::value> value = parse_json(text);
  if (!value) return std::unexpected(std::move(value.error()));
  if (!value->is_array()) return fail(ErrorCode::kCorrupt, "not an array");
  return std::move(value->get_array());
}

/// Deletes the oldest rows that were made before `before_ms`, at most `most` of them.
Result<> remove_oldest(Database& db, std::int64_t before_ms, std::int64_t most) {
  Result<Statement*> statement = db.cached(
      "DELETE FROM responses WHERE id IN (SELECT id FROM responses WHERE created_ms < ?1 "
      "ORDER BY created_ms LIMIT ?2)");
  if (!statement) return std::unexpected(std::move(statement.error()));
  (*statement)->bind(1, before_ms).bind(2, most);
  return (*statement)->run();
}

/// The one number that `sql` selects.
Result<std::int64_t> number(Database& db, std::string_view sql) {
  Result<Statement*> statement = db.cached(sql);
  if (!statement) return std::unexpected(std::move(statement.error()));
  Result<bool> there = (*statement)->step();
  if (!there) return std::unexpected(std::move(there.error()));
  const std::int64_t read = (*statement)->integer(0);
  (*statement)->reset();
  return read;
}

Result<> prune(Database& db, std::int64_t oldest_ms, std::int64_t max_bytes) {
  if (Result<> aged = remove_oldest(db, oldest_ms, kMaxPruned); !aged) return aged;
  const Result<std::int64_t> bytes =
      number(db,
             "SELECT (page_count - freelist_count) * page_size "
             "FROM pragma_page_count, pragma_freelist_count, pragma_page_size");
  if (!bytes) return std::unexpected(bytes.error());
  if (*bytes <= max_bytes) return {};
  const Result<std::int64_t> rows = number(db, "SELECT count(*) FROM responses");
  if (!rows) return std::unexpected(rows.error());
  // An eighth of them, so that a store at its limit does not prune at every put().
  return remove_oldest(db, std::numeric_limits<std::int64_t>::max(),
                       std::min(kMaxPruned, *rows / 8 + 1));
}

/// A row ready to be written, made on the caller's thread.
struct Row {
  std::string id;
  std::int64_t created_ms = 0;
  std::string previous;
  std::string input;
  std::string output;
  std::string response;
  std::string app;
  policy::Privacy privacy = policy::Privacy::kLocalOnly;
};

Row row_of(StoredResponse stored, WallTime now) {
  Row row{.id = std::move(stored.id),
          .created_ms = unix_ms(now),
          .previous = std::move(stored.previous_id),
          .input = {},
          .output = "[]",
          .response = {},
          .app = std::move(stored.app),
          .privacy = stored.privacy};
  for (std::size_t i = 0; i < stored.input_items.size(); ++i) {
    json::object* item = stored.input_items[i].if_object();
    if (item == nullptr || item->contains("id")) continue;
    (*item)["id"] = protocol::responses::item_id("item", row.id, i);
  }
  row.input = json::serialize(stored.input_items);
  // History needs the output alone, without the tools and instructions around it.
  if (json::value* output = stored.response.if_contains("output")) {
    row.output = json::serialize(*output);
    *output = json::array();
  }
  row.response = json::serialize(stored.response);
  return row;
}

Result<> insert(Database& db, const Row& row) {
  Result<Statement*> statement = db.cached(
      "INSERT INTO responses(id, created_ms, previous, input, output, response, app, privacy) "
      "VALUES(?1,?2,?3,?4,?5,?6,?7,?8)");
  if (!statement) return std::unexpected(std::move(statement.error()));
  (*statement)
      ->bind(1, row.id)
      .bind(2, row.created_ms)
      .bind(3, row.previous)
      .bind_blob(4, row.input)
      .bind_blob(5, row.output)
      .bind_blob(6, row.response)
      .bind(7, row.app)
      .bind(8, policy::name(row.privacy));
  return (*statement)->run();
}

/// The columns of one row as text; kNotFound where there is none. `sql` selects two columns by id
/// and app.
Result<std::pair<std::string, std::string>> read_row(Database& db, std::string_view sql,
                                                     std::string_view id,
                                                     const policy::Scope& scope) {
  Result<Statement*> statement = db.cached(sql);
  if (!statement) return std::unexpected(std::move(statement.error()));
  (*statement)->bind(1, id).bind(2, scope.app());
  Result<bool> there = (*statement)->step();
  if (!there) return std::unexpected(std::move(there.error()));
  if (!*there) return no_response(id);
  std::pair<std::string, std::string> row((*statement)->blob(0), (*statement)->blob(1));
  (*statement)->reset();  // an open row would hold on to an old state of the file
  return row;
}

/// One response of a chain.
struct Link {
  std::string id;
  std::string previous;
  std::string input;
  std::string output;
  policy::Privacy privacy = policy::Privacy::kLocalOnly;
};

/// What the column says; where it says nothing known, the strictest.
policy::Privacy privacy_in(std::string_view column) {
  return policy::parse_privacy(column, "privacy").value_or(policy::Privacy::kLocalOnly);
}

/// Reads a link unless it is larger than `max_bytes`.
Result<Link> read_link(Database& db, std::string_view id, const policy::Scope& scope,
                       std::size_t max_bytes) {
  Result<Statement*> statement = db.cached(
      "SELECT length(input) + length(output), previous, input, output, privacy FROM responses "
      "WHERE id = ?1 AND (?2 IS NULL OR app = ?2)");
  if (!statement) return std::unexpected(std::move(statement.error()));
  Statement& row = **statement;
  row.bind(1, id).bind(2, scope.app());
  Result<bool> there = row.step();
  if (!there) return std::unexpected(std::move(there.error()));
  if (!*there) {
    return std::unexpected(no_response(id).error().with_field("previous_response_id"));
  }
  if (row.integer(0) > static_cast<std::int64_t>(max_bytes)) {
    row.reset();
    return too_long(fmt::format("is longer than {} bytes", kMaxHistoryBytes));
  }
  Link link{.id = std::string(id),
            .previous = std::string(row.text(1)),
            .input = std::string(row.blob(2)),
            .output = std::string(row.blob(3)),
            .privacy = privacy_in(row.text(4))};
  row.reset();
  return link;
}

Result<> append_items(std::string_view text, json::array& items) {
  Result<json::array> read = array_in(text);
  if (!read) return std::unexpected(std::move(read.error()));
  std::ranges::move(*read, std::back_inserter(items));
  return {};
}

/// Newest first.
Result<std::vector<Link>> read_chain(Database& db, std::string_view id,
                                     const policy::Scope& scope) {
  std::vector<Link> chain;
  std::unordered_set<std::string> seen;
  std::size_t bytes = 0;
  for (std::string next(id); !next.empty(); next = chain.back().previous) {
    if (!seen.insert(next).second) {
      return damaged(id, fail(ErrorCode::kCorrupt, "it follows upon itself").error());
    }
    if (chain.size() == kMaxHistoryResponses) {
      return too_long(fmt::format("has more than {} responses", kMaxHistoryResponses));
    }
    Result<Link> link = read_link(db, next, scope, kMaxHistoryBytes - bytes);
    if (!link) return std::unexpected(std::move(link.error()));
    bytes += link->input.size() + link->output.size();
    chain.push_back(std::move(*link));
  }
  return chain;
}

}  // namespace

ResponseStore::ResponseStore(Database reader, std::unique_ptr<sqlite::Writer> writer,
                             const Clock& clock, Keep keep)
    : reader_(std::move(reader)), writer_(std::move(writer)), clock_(&clock), keep_(keep) {}

Result<ResponseStore> ResponseStore::open(const std::filesystem::path& path, const Clock& clock,
                                          Keep keep) {
  Result<Database> db = Database::open(path, Database::Mode::kReadWrite);
  if (!db) return std::unexpected(std::move(db.error()));
  Result<> ready = db->exec("PRAGMA secure_delete = ON");
  if (ready) ready = sqlite::migrate(*db, "responses", kMigrations);
  if (!ready) {
    return std::unexpected(
        std::move(ready.error()).context(fmt::format("opening {}", path.string())));
  }
  Result<Database> reader = Database::open(path, Database::Mode::kReadOnly);
  if (!reader) return std::unexpected(std::move(reader.error()));
  return ResponseStore(std::move(*reader), std::make_unique<sqlite::Writer>(std::move(*db)), clock,
                       keep);
}

asio::awaitable<Result<>> ResponseStore::put(StoredResponse response) {
  const WallTime now = clock_->wall();
  Row row = row_of(std::move(response), now);
  const std::int64_t oldest_ms = unix_ms(now - keep_.age);
  sqlite::Writer::Job job = [row = std::move(row), oldest_ms,
                             max_bytes = keep_.bytes](Database& db) -> Result<> {
    if (Result<> pruned = prune(db, oldest_ms, max_bytes); !pruned) return pruned;
    return insert(db, row);
  };
  return writer_->run(std::move(job));
}

asio::awaitable<Result<>> ResponseStore::remove(std::string id, policy::Scope scope) {
  sqlite::Writer::Job job = [id = std::move(id),
                             scope = std::move(scope)](Database& db) -> Result<> {
    Result<Statement*> statement =
        db.cached("DELETE FROM responses WHERE id = ?1 AND (?2 IS NULL OR app = ?2)");
    if (!statement) return std::unexpected(std::move(statement.error()));
    (*statement)->bind(1, id).bind(2, scope.app());
    if (Result<> done = (*statement)->run(); !done) return done;
    return db.changes() == 0 ? Result<>(no_response(id)) : Result<>();
  };
  return writer_->run(std::move(job));
}

Result<json::object> ResponseStore::get(std::string_view id, const policy::Scope& scope) {
  auto row = read_row(reader_,
                      "SELECT response, output FROM responses "
                      "WHERE id = ?1 AND (?2 IS NULL OR app = ?2)",
                      id, scope);
  if (!row) return std::unexpected(std::move(row.error()));
  Result<json::object> response = parse_json_object(row->first);
  if (!response) return damaged(id, response.error());
  Result<json::array> output = array_in(row->second);
  if (!output) return damaged(id, output.error());
  (*response)["output"] = std::move(*output);
  return response;
}

Result<json::array> ResponseStore::input_items(std::string_view id, const policy::Scope& scope) {
  auto row = read_row(reader_,
                      "SELECT input, '' FROM responses WHERE id = ?1 AND (?2 IS NULL OR app = ?2)",
                      id, scope);
  if (!row) return std::unexpected(std::move(row.error()));
  Result<json::array> items = array_in(row->first);
  if (!items) return damaged(id, items.error());
  return items;
}

Result<Conversation> ResponseStore::history(std::string_view id, const policy::Scope& scope) {
  Result<std::vector<Link>> chain = read_chain(reader_, id, scope);
  if (!chain) return std::unexpected(std::move(chain.error()));
  Conversation conversation;
  json::array items;
  for (const Link& link : *chain | std::views::reverse) {
    conversation.privacy = policy::stricter(conversation.privacy, link.privacy);
    Result<> read = append_items(link.input, items);
    if (read) read = append_items(link.output, items);
    if (!read) return damaged(link.id, read.error());
  }
  Result<std::vector<chat::Message>> messages = protocol::responses::messages_of(items, "history");
  if (!messages) return damaged(id, messages.error());
  conversation.messages = std::move(*messages);
  return conversation;
}

}  // namespace minimill::responses
