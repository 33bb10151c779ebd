#pragma once

// A task: a durable unit of work, from its file or the API to its answer.

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "chat/decision.h"
#include "policy/privacy.h"

namespace minimill::tasks {

namespace json = boost::json;

/// What was asked for; never changes.
struct TaskSpec {
  TaskId id;
  std::string title;
  std::string notes;
  int day = 0;
  double arrives_s = 0;  // after the day's start
  json::value check;     // null: none
  /// Nothing where whoever asked said nothing; intake fills it in (whose default, says
  /// daemon/access.h) before it is stored, so that the row says what holds.
  std::optional<policy::Privacy> privacy;
  std::optional<double> deadline_s;  // after arrival
  std::optional<double> can_wait_s;  // after arrival; an answer by then is soon enough
  json::value label;                 // for scoring only: nothing that decides reads it
  std::vector<TaskId> after;         // tasks of the same run that must be done first
  std::string notify;                // URL that its outcome is posted to; empty: nobody
};

enum class TaskState { kQueued, kRunning, kDone, kFailed, kCancelled };
std::string_view name(TaskState state);
Result<TaskState> parse_task_state(std::string_view text);

/// Why an attempt did not end the task well.
struct TaskFailure {
  WallTime at{};
  int attempt = 0;
  chat::Lane lane = chat::Lane::kLocal;
  std::string error;

  bool operator==(const TaskFailure&) const = default;
};

struct Task {
  TaskSpec spec;
  RunId run;
  std::string app;  // whose it is: an app's with a key; "": the machine's owner's
  TaskState state = TaskState::kQueued;
  WallTime due{};                      // when it arrives, in real time
  std::optional<WallTime> not_before;  // of a retry: its turn comes no earlier
  std::optional<WallTime> started;     // first time a lane took it
  std::optional<WallTime> finished;
  int attempts = 0;
  RequestId request;                     // of the last attempt, for `minimill why`
  chat::Lane lane = chat::Lane::kLocal;  // that gave the last answer, or is to
  bool batched = false;                  // through a provider's batch API; lane is kCloud
  bool escalated = false;                // local answered first and failed its check
  std::optional<bool> local_passed;      // checks; nullopt: not tried, or no check
  std::optional<bool> cloud_passed;
  double local_s = 0;  // time in service, by lane
  double cloud_s = 0;
  std::int64_t prompt_tokens = 0;
  std::int64_t completion_tokens = 0;
  double cost_usd = 0;
  double all_cloud_cost_usd = 0;  // had every attempt gone to the cloud
  std::string operation;
  std::string model;
  std::string answer;
  std::string error;   // why it waits for a retry, or failed
  int blocked_by = 0;  // tasks it comes after that are not done
  /// Why its stored spec cannot be read, where it cannot: then spec has its id and whom to notify,
  /// and nothing else.
  std::string unreadable;
  /// Of this attempt, for TaskStore::save() to keep.
  std::optional<TaskFailure> failure;

  /// What holds; of a row that says nothing, the strictest.
  policy::Privacy privacy() const { return spec.privacy.value_or(policy::Privacy::kLocalOnly); }
  /// What the model is sent: title and notes.
  std::string prompt() const;
};

/// One JSON object of a task file; `where` ("week.jsonl:12") starts the message of every error.
Result<TaskSpec> parse_task(std::string_view line, std::string_view where);

/// What to_json(TaskSpec) once made, of this release or another: fields that nobody knows are
/// passed over, and nothing is judged anew that was taken when it was submitted. An error only
/// where what was asked for cannot be known.
Result<TaskSpec> decode_stored_spec(std::string_view stored);
/// Of what to_json() writes. A form that this release cannot read has a higher one.
inline constexpr int kSpecVersion = 1;
/// kInvalidArgument where a local-only task is to be told of outside this machine; once its privacy
/// is known.
Result<> check_notify(const TaskSpec& spec);

/// A whole file of tasks, one JSON object a line, blank lines allowed. Stops at the first bad line
/// and at a duplicate id, naming both lines.
Result<std::vector<TaskSpec>> read_tasks_file(const std::string& path);

/// The same fields as in a file, for the API.
json::object to_json(const TaskSpec& spec);
json::object to_json(const Task& task);

/// What a task came to, of its last answer's check; nullopt: no check, or no answer.
std::optional<bool> passed(const Task& task);

inline constexpr std::size_t kMaxAfter = 64;  // dependencies of one task
inline constexpr std::size_t kMaxTaskBytes = 1 << 20;
inline constexpr std::size_t kMaxTasksPerRun = 100'000;

}  // namespace minimill::tasks
