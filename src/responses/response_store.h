#pragma once

// What OpenAI's Responses API promises to remember: each stored response with what was asked, so
// that an app can go on from its id alone, look it up, or have it forgotten.
//
//   Result<ResponseStore> store = ResponseStore::open(path, clock);
//   Result<Conversation> before = store->history(request.previous_response_id, scope);
//   Result<> kept = co_await store->put(std::move(response));   // before its last frame is sent
//
// A database file of its own, as this is the one place where prompts and answers are kept: it can
// be deleted without anything else being lost. What is older than the store's `keep`, and the
// oldest where it grows beyond its size, goes with each put(). Event-loop thread only.

#include <boost/asio/awaitable.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "chat/chat_request.h"
#include "policy/principal.h"
#include "policy/privacy.h"
#include "sqlite/writer.h"

namespace minimill::responses {

namespace asio = boost::asio;
namespace json = boost::json;

/// How far back a conversation is followed, and how much of it is read at most.
inline constexpr std::size_t kMaxHistoryResponses = 256;
inline constexpr std::size_t kMaxHistoryBytes = 4UL << 20;

struct StoredResponse {
  std::string id;           // "resp_…"
  std::string previous_id;  // empty: a conversation began
  json::array input_items;  // ResponsesRequest's; those without an id get one
  json::object response;    // the response object, its output items inside
  std::string app;          // whose it is; "": the machine's owner's
  policy::Privacy privacy = policy::Privacy::kLocalOnly;  // what it was asked under
};

/// What has been said, oldest first; as private as its most private turn.
struct Conversation {
  std::vector<chat::Message> messages;
  policy::Privacy privacy = policy::Privacy::kAllow;
};

/// What is kept no longer, whichever comes first.
struct Keep {
  std::chrono::hours age = std::chrono::days(30);
  std::int64_t bytes = std::int64_t{1} << 30;  // of the database, free pages not counted
};

class ResponseStore {
 public:
  /// Makes the file where there is none. kConflict for one from a newer minimill, kCorrupt for one
  /// that is no database. `clock` outlives the store.
  static Result<ResponseStore> open(const std::filesystem::path& path, const Clock& clock,
                                    Keep keep = {});

  /// Durable when it returns. kConflict where the id is taken.
  asio::awaitable<Result<>> put(StoredResponse response);
  /// kNotFound where there is none in the scope: what is another app's does not exist. What was
  /// said is overwritten, not only unlinked: in the file at the next checkpoint, the last when the
  /// store is closed.
  asio::awaitable<Result<>> remove(std::string id, policy::Scope scope);

  /// The response object. kNotFound; kCorrupt where the row is damaged.
  Result<json::object> get(std::string_view id, const policy::Scope& scope);
  /// What was asked, each item with an id. kNotFound; kCorrupt.
  Result<json::array> input_items(std::string_view id, const policy::Scope& scope);
  /// What was asked and answered up to and with `id`, oldest first; instructions are not inherited.
  /// kNotFound where it or one before it is missing and kTooLarge beyond kMaxHistoryResponses or
  /// kMaxHistoryBytes, both naming previous_response_id; kCorrupt for damaged rows and for chains
  /// that bite their own tail. Turns of before privacy was kept count as local-only.
  Result<Conversation> history(std::string_view id, const policy::Scope& scope);

 private:
  ResponseStore(sqlite::Database reader, std::unique_ptr<sqlite::Writer> writer, const Clock& clock,
                Keep keep);

  sqlite::Database reader_;
  std::unique_ptr<sqlite::Writer> writer_;
  const Clock* clock_;
  Keep keep_;
};

}  // namespace minimill::responses
