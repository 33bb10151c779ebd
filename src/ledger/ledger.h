#pragma once

// What was asked, how it was decided, who answered, what it took and how it turned out.
// One row per request, one per attempt at a backend, one per outcome; prompts and answers are not
// kept.
//
// record() never waits: it posts to the one sqlite::Writer. Reads use a read-only connection, and
// so may not see yet what was recorded a moment before.
// Event-loop thread only.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "chat/chat_event.h"
#include "chat/decision.h"
#include "chat/origin.h"
#include "ledger/daily_sums.h"
#include "ledger/figures.h"
#include "ledger/request_page.h"
#include "sqlite/writer.h"

namespace minimill::ledger {

Result<> migrate_ledger(sqlite::Database& db);

struct Attempt {
  chat::Lane lane = chat::Lane::kLocal;
  std::string backend;  // engine or provider name
  std::string model;
  double queued_ms = 0;
  double first_token_ms = 0;  // 0: not streamed
  double duration_ms = 0;
  chat::Usage usage;
  double cost_usd = 0;
  std::string error;  // empty: answered

  // Of a local answer whose first tokens were held back until they looked good enough.
  std::int64_t held_tokens = 0;
  double held_ms = 0;
  double p_held = 0;  // chance that the answer is good enough, after seeing them

  bool hedge = false;  // a second request, sent because the first took unusually long
};

struct RequestRecord {
  RequestId id;
  WallTime at{};
  std::string app;  // who asked; "" where unknown
  TaskId task;      // empty for an app's request
  RunId run;
  chat::Origin origin = chat::Origin::kApp;
  RequestId parent;   // the request that this one belongs to, if any
  std::string label;  // the app's own name for what this belongs to
  std::string model_asked;
  bool stream = false;
  std::string privacy;
  chat::Decision decision;
  std::vector<Attempt> attempts;
  int status = 0;        // HTTP status the app got; 0 for tasks
  double cloud_usd = 0;  // of a local answer: what the cloud would have taken for its tokens
};

/// How an answer turned out, in the order it became known.
struct Outcome {
  RequestId request;
  WallTime at{};
  std::string kind;  // "check", "escalated", "feedback"
  bool ok = false;
  std::string detail;
};

struct Totals {
  std::int64_t requests = 0;
  std::int64_t local = 0;
  std::int64_t cloud = 0;
  std::int64_t errors = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  double cost_usd = 0;
};

struct DayCost {
  std::string app;
  std::string operation;
  WallTime day{};  // its beginning
  double cost_usd = 0;
};

struct RequestPage {
  std::vector<RequestRecord> requests;
  std::optional<RequestCursor> next;  // there may be more
};

namespace asio = boost::asio;

class Ledger {
 public:
  static Result<Ledger> open(const std::filesystem::path& path, sqlite::Writer& writer);

  void record(RequestRecord record);
  void record(Outcome outcome);
  /// The same, and waits until it is on disk: for an outcome whose sender is told so.
  asio::awaitable<Result<>> store(Outcome outcome);

  Result<std::optional<RequestRecord>> find(const RequestId& id);
  /// Every request of a task, oldest first. `run` empty: the newest run that has the task.
  Result<std::vector<RequestRecord>> of_task(const TaskId& task, const RunId& run);
  Result<std::vector<Outcome>> outcomes(const RequestId& id);
  Result<std::vector<RequestRecord>> recent(std::size_t limit);
  Result<RequestPage> page(const RequestFilter& filter);
  /// Of whole days, the first the one that `since` is in (UTC).
  Result<Totals> totals(WallTime since);
  /// What each app's operations have cost on each of UTC's days since then, the beginning of one.
  Result<std::vector<DayCost>> costs(WallTime since);
  /// All there is to say of each day, oldest first, however long ago it was.
  Result<std::vector<DailySum>> daily(WallTime since);
  /// What is shown, of all days from `since`'s to before `until`'s.
  Result<std::vector<FiguresRow>> figures(WallTime since, WallTime until);

  /// Named states that outlive the daemon (the router's, say).
  void save_state(std::string name, std::string bytes);
  /// The same; `encode` runs on the writer's thread.
  void save_state(std::string name, std::move_only_function<std::string()> encode);
  Result<std::optional<std::string>> load_state(std::string_view name);

 private:
  Ledger(sqlite::Database reader, sqlite::Writer& writer);
  sqlite::Database reader_;
  sqlite::Writer* writer_;
};

}  // namespace minimill::ledger
