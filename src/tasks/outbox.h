#pragma once

// Effects outside that wait to happen: what a task came to, to be posted to a URL. An effect's row
// is written in the transaction that ends its task, so that there is neither a task without its
// effect nor an effect without its task; it is sent until the receiver has taken it
// (tasks/outbox_runner.h), always with the same id as its Idempotency-Key (a "transactional
// outbox": Kleppmann, Designing Data-Intensive Applications, chapter 11).
//
// Writes go through the one sqlite::Writer; reads use a read-only connection of the outbox's own,
// on one thread.

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "policy/principal.h"
#include "sqlite/writer.h"
#include "tasks/task.h"

namespace minimill::tasks {

namespace asio = boost::asio;

enum class EffectState { kPending, kDelivered, kDead };
std::string_view name(EffectState state);
Result<EffectState> parse_effect_state(std::string_view text);

struct Effect {
  std::int64_t row = 0;
  std::string id;  // "effect_…": the receiver's Idempotency-Key, the same at every attempt
  RunId run;
  TaskId task;
  std::string app;  // whose task it was; "": the machine's owner's
  std::string url;
  std::string body;  // JSON; what the task came to when it ended
  EffectState state = EffectState::kPending;
  int attempts = 0;
  WallTime created{};
  WallTime next{};  // when its turn comes; when it was delivered or given up, once it was
  std::string last_error;
};

/// Without the body, which is what apps said.
json::object to_json(const Effect& effect);

/// What a receiver is told about a task that has ended.
json::object outcome_of(const Task& task);

/// Within the transaction that ends `task`, which has somebody to notify.
Result<> insert_effect(sqlite::Database& db, const Task& task, WallTime now);

class Outbox {
 public:
  /// How long the record of a delivered effect is kept.
  static constexpr std::chrono::hours kKept{7 * 24};

  static Result<Outbox> open(const std::filesystem::path& path, sqlite::Writer& writer);

  struct Turn {
    std::int64_t row = 0;
    WallTime at{};
  };
  /// The next `limit` pending ones in order of their turn, whether or not it has come.
  Result<std::vector<Turn>> next(std::size_t limit);
  /// nullopt where it is gone.
  Result<std::optional<Effect>> find(std::int64_t row);

  asio::awaitable<Result<>> delivered(std::int64_t row, WallTime now);
  /// Counts an attempt that failed; its next turn is at `next`.
  asio::awaitable<Result<>> failed(std::int64_t row, WallTime next, std::string error);
  /// Counts an attempt and gives up.
  asio::awaitable<Result<>> died(std::int64_t row, WallTime now, std::string error);
  /// A dead effect gets all its attempts again. kNotFound; kConflict where it is not dead.
  asio::awaitable<Result<>> retry(std::string id, policy::Scope scope, WallTime now);
  /// All dead ones in the scope; how many there were.
  asio::awaitable<Result<std::int64_t>> retry_all(policy::Scope scope, WallTime now);

  struct Filter {
    std::optional<EffectState> state;
    policy::Scope scope = policy::Scope::everything();
    std::size_t limit = 100;
  };
  /// Newest first, without bodies.
  Result<std::vector<Effect>> list(const Filter& filter);

 private:
  Outbox(sqlite::Database reader, sqlite::Writer& writer);
  sqlite::Database reader_;
  sqlite::Writer* writer_;
};

}  // namespace minimill::tasks
