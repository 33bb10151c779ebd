#pragma once

// What was asked and answered, kept to be learnt from: the one place on disk, beside tasks and
// stored responses, where prompts lie. A database file of its own, its owner's alone (0600), so
// that it can be deleted without anything else being lost.
//
//   Result<TraceStore> store = TraceStore::open(folder / "traces.db");
//   Result<bool> kept = store->put(trace);           // false: the app's rule says no
//   Result<std::size_t> gone = store->purge({.app = "mail"});
//
// What is purged is in no file any more when purge() returns: pages are overwritten as they are
// freed (SQLite's secure_delete) and the write-ahead log is emptied. Models learnt from it are
// their owner's matter (OperationLearner::forget).
//
// Calls block for the disk: they belong on a thread that may wait, one at a time.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "distill/learner.h"
#include "sqlite/database.h"

namespace minimill::distill {

struct Trace {
  std::string id;  // the request's
  WallTime at{};
  std::string app;
  std::string operation;
  std::string request;
  std::string answer;
  std::string model;
  std::string decision;  // JSON, as the ledger has it
  Teacher outcome = Teacher::kUnknown;
  double cost_usd = 0;
  bool task = false;        // it was a task's: its text is on disk anyway
  bool local_only = false;  // it may not leave the device
  bool operator==(const Trace&) const = default;
};

/// What is kept of an app's traffic.
struct KeepRule {
  enum class What : std::uint8_t { kNothing, kTasks, kAll };
  What what = What::kTasks;
  std::chrono::days age{30};
  bool local_only = false;  // also of what may not leave the device
  bool operator==(const KeepRule&) const = default;
};

std::string_view name(KeepRule::What what);  // "nothing", "tasks", "all"

struct TraceFilter {
  std::string id = {};  // empty: any; so for all
  std::string app = {};
  std::string operation = {};
  WallTime before = WallTime::max();
};

class TraceStore {
 public:
  static constexpr std::int64_t kMostBytes = std::int64_t{512} << 20;  // then the oldest go
  static constexpr std::size_t kMostTraceBytes = 256 << 10;            // longer: not kept

  /// Makes the file where there is none.
  static Result<TraceStore> open(const std::filesystem::path& path,
                                 std::int64_t most_bytes = kMostBytes);

  /// The app's own rule, or the one for all.
  Result<KeepRule> keep_of(std::string_view app);
  Result<> set_keep(std::string_view app, const KeepRule& rule);
  /// The apps that have a rule of their own.
  Result<std::map<std::string, KeepRule, std::less<>>> rules();
  /// Whose traces of which operations there are: (app, operation).
  Result<std::vector<std::pair<std::string, std::string>>> operations();

  /// False where the app's rule does not have it kept, or it is too long.
  Result<bool> put(const Trace& trace);
  /// The outcome, when it is known. kNotFound where the trace is not kept.
  Result<> judge(std::string_view id, Teacher outcome);

  /// Newest first, `most` of them.
  Result<std::vector<Trace>> list(const TraceFilter& filter, std::size_t most);
  /// kNotFound.
  Result<Trace> show(std::string_view id);
  /// Oldest first, each once: for learning again after a restart, and for export.
  Result<> each(const TraceFilter& filter, const std::function<void(const Trace&)>& take);

  /// How many went. Nothing of them is left in the folder.
  Result<std::size_t> purge(const TraceFilter& filter);
  /// What its app's rule keeps no longer, and the oldest where there is too much.
  Result<std::size_t> prune(WallTime now);

 private:
  TraceStore(sqlite::Database db, std::int64_t most_bytes)
      : db_(std::move(db)), most_bytes_(most_bytes) {}
  Result<> wipe();

  sqlite::Database db_;
  std::int64_t most_bytes_;
};

/// Is the trace kept by that rule?
bool is_kept(const KeepRule& rule, bool task, bool local_only);

/// A trace as a line of JSON, without the line feed.
std::string to_json_line(const Trace& trace);

}  // namespace minimill::distill
