#include "tasks/task.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/http_url.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "check/check.h"

namespace minimill::tasks {
namespace {

constexpr std::size_t kMaxIdBytes = 128;
constexpr double kMaxSeconds = 366.0 * 86'400;
constexpr int kMaxDay = 366;

constexpr std::string_view kBatch = "batch";
constexpr std::array<std::string_view, 5> kStates{"queued", "running", "done", "failed",
                                                  "cancelled"};
constexpr std::array<std::string_view, 12> kFields{"id",         "title", "notes",   "arrives_s",
                                                   "day",        "check", "privacy", "deadline_s",
                                                   "can_wait_s", "label", "after",   "notify"};

bool is_good_id(std::string_view id) {
  const auto printable = [](char c) { return c > ' ' && c < '\x7f'; };
  return !id.empty() && id.size() <= kMaxIdBytes && std::ranges::all_of(id, printable);
}

double seconds_between(WallTime from, WallTime to) {
  return std::chrono::duration<double>(to - from).count();
}

json::value optional_flag(std::optional<bool> flag) {
  return flag ? json::value(*flag) : json::value(nullptr);
}

/// The first field nobody knows, usually a misspelt one.
const json::key_value_pair* unknown_field(const json::object& object) {
  for (const json::key_value_pair& field : object) {
    if (std::ranges::find(kFields, std::string_view(field.key())) == kFields.end()) return &field;
  }
  return nullptr;
}

std::vector<TaskId> read_after(Fields& fields) {
  std::vector<TaskId> after;
  const json::array* ids = fields.optional_array("after");
  if (ids == nullptr) return after;
  if (ids->size() > kMaxAfter) {
    fields.reject("after", fmt::format("a task comes after at most {} others", kMaxAfter));
    return after;
  }
  for (const json::value& id : *ids) {
    if (!id.is_string() || !is_good_id(id.get_string())) {
      fields.reject("after", "must be a list of task ids");
      return after;
    }
    after.push_back({std::string(id.get_string())});
  }
  std::vector<TaskId> sorted = after;
  std::ranges::sort(sorted);
  if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end()) {
    fields.reject("after", fmt::format("names '{}' twice", twice->value));
  }
  return after;
}

Result<TaskSpec> read_spec(const json::object& object) {
  if (const auto* unknown = unknown_field(object)) {
    return fail_field(unknown->key(),
                      fmt::format("unknown field '{}'", std::string_view(unknown->key())),
                      fmt::format("a task has {}", fmt::join(kFields, ", ")));
  }
  TaskSpec spec;
  Fields fields(object);
  spec.id = {fields.required_string("id")};
  if (fields.ok() && !is_good_id(spec.id.value)) {
    fields.reject("id", fmt::format("must be 1 to {} printable ASCII characters without spaces",
                                    kMaxIdBytes));
  }
  spec.title = fields.required_string("title");
  if (fields.ok() && spec.title.empty()) fields.reject("title", "must not be empty");
  spec.notes = fields.string_or("notes", "");
  spec.arrives_s = fields.number_or("arrives_s", 0, 0, kMaxSeconds);
  spec.day = static_cast<int>(fields.optional_integer("day", 0, kMaxDay).value_or(0));
  spec.deadline_s = fields.optional_number("deadline_s", 0, kMaxSeconds);
  spec.can_wait_s = fields.optional_number("can_wait_s", 0, kMaxSeconds);
  const std::string privacy = fields.string_or("privacy", "");
  spec.after = read_after(fields);
  spec.notify = fields.string_or("notify", "");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());

  if (fields.find("privacy") != nullptr) {
    Result<policy::Privacy> level = policy::parse_privacy(privacy, "privacy");
    if (!level) return std::unexpected(std::move(level.error()));
    spec.privacy = *level;
  }
  if (Result<> notify = check_notify(spec); !notify) return std::unexpected(notify.error());
  if (const json::value* check = fields.find("check")) {
    if (Result<check::Check> parsed = check::Check::parse(*check); !parsed) {
      return std::unexpected(std::move(parsed.error()));
    }
    spec.check = *check;
  }
  if (const json::value* label = fields.find("label")) spec.label = *label;
  return spec;
}

}  // namespace

std::string_view name(TaskState state) { return kStates[static_cast<std::size_t>(state)]; }

Result<TaskState> parse_task_state(std::string_view text) {
  const auto found = std::ranges::find(kStates, text);
  if (found != kStates.end()) return static_cast<TaskState>(found - kStates.begin());
  return fail_field("state", fmt::format("no task state '{}'", text),
                    fmt::format("use {}", fmt::join(kStates, ", ")));
}

std::string Task::prompt() const {
  return spec.notes.empty() ? spec.title : spec.title + "\n\n" + spec.notes;
}

std::optional<bool> passed(const Task& task) {
  return task.cloud_passed ? task.cloud_passed : task.local_passed;
}

// Whether somebody may be told; whether this URL may be, the daemon's configuration says.
Result<> check_notify(const TaskSpec& spec) {
  if (spec.notify.empty()) return {};
  Result<HttpUrl> url = parse_http_url(spec.notify);
  if (!url) return std::unexpected(std::move(url.error()).with_field("notify"));
  if (spec.privacy == policy::Privacy::kLocalOnly && !is_loopback(*url)) {
    return fail_field(
        "notify", fmt::format("'{}' is not on this machine, and the task is local-only", url->host),
        "use a loopback address, or another privacy");
  }
  return {};
}

Result<TaskSpec> parse_task(std::string_view line, std::string_view where) {
  if (line.size() > kMaxTaskBytes) {
    return fail(ErrorCode::kTooLarge, fmt::format("{}: a task of {} bytes; at most {} are taken",
                                                  where, line.size(), kMaxTaskBytes));
  }
  Result<json::object> object = parse_json_object(line);
  if (!object) return std::unexpected(std::move(object.error()).context(where));
  Result<TaskSpec> spec = read_spec(*object);
  if (!spec) return std::unexpected(std::move(spec.error()).context(where));
  return spec;
}

Result<TaskSpec> decode_stored_spec(std::string_view stored) {
  Result<json::object> object = parse_json_object(stored);
  if (!object) return std::unexpected(std::move(object.error()));
  Fields fields(*object);
  const std::int64_t version = fields.optional_integer("v").value_or(1);
  if (version > kSpecVersion) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("it was stored by a newer minimill, in form {}", version),
                "use the newer minimill");
  }
  TaskSpec spec;
  spec.id = {fields.required_string("id")};
  spec.title = fields.required_string("title");
  spec.notes = fields.string_or("notes", "");
  spec.arrives_s = fields.number_or("arrives_s", 0);
  spec.day = static_cast<int>(fields.optional_integer("day").value_or(0));
  spec.deadline_s = fields.optional_number("deadline_s");
  spec.can_wait_s = fields.optional_number("can_wait_s");
  spec.notify = fields.string_or("notify", "");
  if (const json::array* after = fields.optional_array("after")) {
    for (const json::value& id : *after) {
      if (id.is_string()) spec.after.push_back({std::string(id.get_string())});
    }
  }
  if (const json::value* check = fields.find("check")) spec.check = *check;
  if (const json::value* label = fields.find("label")) spec.label = *label;
  const std::string privacy = fields.string_or("privacy", "");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (!privacy.empty()) {
    // A level that is not known here may be a stricter one: not a field to guess.
    Result<policy::Privacy> level = policy::parse_privacy(privacy, "privacy");
    if (!level) return std::unexpected(std::move(level.error()));
    spec.privacy = *level;
  }
  return spec;
}

json::object to_json(const TaskSpec& spec) {
  json::object object{{"id", spec.id.value},
                      {"title", spec.title},
                      {"notes", spec.notes},
                      {"day", spec.day},
                      {"arrives_s", spec.arrives_s}};
  if (!spec.check.is_null()) object["check"] = spec.check;
  if (spec.privacy) object["privacy"] = policy::name(*spec.privacy);
  if (spec.deadline_s) object["deadline_s"] = *spec.deadline_s;
  if (spec.can_wait_s) object["can_wait_s"] = *spec.can_wait_s;
  if (!spec.label.is_null()) object["label"] = spec.label;
  if (!spec.after.empty()) {
    json::array after;
    for (const TaskId& id : spec.after) after.emplace_back(id.value);
    object["after"] = std::move(after);
  }
  if (!spec.notify.empty()) object["notify"] = spec.notify;
  return object;
}

json::object to_json(const Task& task) {
  json::object object = to_json(task.spec);
  object["run"] = task.run.value;
  if (!task.app.empty()) object["app"] = task.app;
  object["state"] = name(task.state);
  object["lane"] = task.batched ? kBatch : chat::name(task.lane);
  object["attempts"] = task.attempts;
  if (task.blocked_by > 0) object["blocked_by"] = task.blocked_by;
  object["escalated"] = task.escalated;
  object["local_passed"] = optional_flag(task.local_passed);
  object["cloud_passed"] = optional_flag(task.cloud_passed);
  object["arrived_at"] = rfc3339(task.due);
  if (task.not_before) object["not_before"] = rfc3339(*task.not_before);
  if (task.started) {
    object["started_at"] = rfc3339(*task.started);
    object["queue_age_s"] = seconds_between(task.due, *task.started);
  }
  if (task.finished) {
    const double duration = seconds_between(task.due, *task.finished);
    object["finished_at"] = rfc3339(*task.finished);
    object["duration_s"] = duration;
    if (task.spec.deadline_s) object["deadline_met"] = duration <= *task.spec.deadline_s;
  }
  object["local_s"] = task.local_s;
  object["cloud_s"] = task.cloud_s;
  object["prompt_tokens"] = task.prompt_tokens;
  object["completion_tokens"] = task.completion_tokens;
  object["cost_usd"] = task.cost_usd;
  object["operation"] = task.operation;
  object["model"] = task.model;
  object["request"] = task.request.value;
  object["answer"] = task.answer;
  object["error"] = task.error;
  if (!task.unreadable.empty()) object["unreadable"] = task.unreadable;
  return object;
}

}  // namespace minimill::tasks
