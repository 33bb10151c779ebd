#include "tasks/task_submit.h"

#include <fmt/format.h>

#include <optional>
#include <set>
#include <utility>

#include "base/json.h"
#include "tasks/task_graph.h"
#include "tasks/task_row.h"

namespace minimill::tasks {
namespace {

using sqlite::Database;
using sqlite::Statement;

Result<> insert_run(Database& db, const RunInfo& run) {
  Result<Statement*> row = db.cached(
      "INSERT INTO runs(id, name, fingerprint, settings, created_ms, app) "
      "VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT(id) DO NOTHING");
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)
      ->bind(1, run.id.value)
      .bind(2, run.name)
      .bind(3, run.fingerprint)
      .bind(4, json::serialize(run.settings))
      .bind(5, unix_ms(run.created))
      .bind(6, run.app);
  return (*row)->run();
}

/// A run is one app's, with all its tasks: nobody adds to another's.
Result<> check_owner(Database& db, const RunInfo& run) {
  Result<Statement*> query = db.cached("SELECT app FROM runs WHERE id = ?1");
  if (!query) return std::unexpected(std::move(query.error()));
  Statement& row = (*query)->bind(1, run.id.value);
  Result<bool> there = row.step();
  if (!there) return std::unexpected(std::move(there.error()));
  const bool ours = *there && row.text(0) == run.app;
  row.reset();
  if (ours) return {};
  return fail(ErrorCode::kForbidden, fmt::format("the run '{}' is not yours", run.id.value),
              "let minimill make one: POST /minimill/v1/runs/new/tasks");
}

struct Stored {
  std::int64_t row = 0;
  int state = 0;
  std::int64_t root = 0;  // the task it failed because of, or itself
  std::string spec;
};

Result<std::optional<Stored>> find(Database& db, const RunId& run, const TaskId& id) {
  Result<Statement*> query = db.cached(
      "SELECT row, state, coalesce(failed_after, row), spec FROM tasks WHERE run = ?1 AND id = ?2");
  if (!query) return std::unexpected(std::move(query.error()));
  Statement& row = (*query)->bind(1, run.value).bind(2, id.value);
  Result<bool> there = row.step();
  if (!there) return std::unexpected(std::move(there.error()));
  if (!*there) return std::nullopt;
  Stored stored{.row = row.integer(0),
                .state = static_cast<int>(row.integer(1)),
                .root = row.integer(2),
                .spec = std::string(row.text(3))};
  row.reset();
  return stored;
}

/// Whether `fresh` is what was stored, but for a privacy that was not yet noted then.
bool is_same(std::string_view stored, const TaskSpec& fresh) {
  const Result<TaskSpec> before = decode_stored_spec(stored);
  if (!before) return false;
  json::object now = to_json(fresh);
  if (!before->privacy) now.erase("privacy");
  return to_json(*before) == now;
}

/// Inserts it: true. Finds that the same task is there already: false.
Result<bool> insert_task(Database& db, const RunInfo& of, const Submission& task) {
  const RunId& run = of.id;
  const std::string spec = json::serialize(to_json(task.spec));
  Result<Statement*> row = db.cached(
      "INSERT INTO tasks(run, id, spec, state, due_ms, ready_ms, notify, app) "
      "VALUES(?1,?2,?3,?4,?5,?5,?6,?7) "
      "ON CONFLICT(run, id) DO NOTHING");
  if (!row) return std::unexpected(std::move(row.error()));
  (*row)
      ->bind(1, run.value)
      .bind(2, task.spec.id.value)
      .bind(3, spec)
      .bind(4, number(TaskState::kQueued))
      .bind(5, unix_ms(task.due))
      .bind(6, task.spec.notify)
      .bind(7, of.app);
  if (Result<> done = (*row)->run(); !done) return std::unexpected(std::move(done.error()));
  if (db.changes() > 0) return true;

  Result<std::optional<Stored>> there = find(db, run, task.spec.id);
  if (!there) return std::unexpected(std::move(there.error()));
  if (*there && is_same((*there)->spec, task.spec)) return false;
  return fail(ErrorCode::kConflict,
              fmt::format("task '{}' is already there with other content", task.spec.id.value),
              "give it another id");
}

Result<> insert_dependency(Database& db, std::int64_t predecessor, std::int64_t successor) {
  Result<Statement*> row =
      db.cached("INSERT INTO task_after(predecessor, successor) VALUES(?1, ?2)");
  if (!row) return std::unexpected(std::move(row.error()));
  return (*row)->bind(1, predecessor).bind(2, successor).run();
}

Result<> set_blockers(Database& db, std::int64_t row, int blockers) {
  Result<Statement*> update = db.cached("UPDATE tasks SET blockers = ?2 WHERE row = ?1");
  if (!update) return std::unexpected(std::move(update.error()));
  return (*update)->bind(1, row).bind(2, blockers).run();
}

/// Links `task`, which is new, to those it comes after; whoever of them has ended badly goes into
/// `failed`.
Result<> link(Database& db, const RunId& run, const TaskSpec& task,
              std::set<std::int64_t>& failed) {
  if (task.after.empty()) return {};
  Result<std::optional<Stored>> own = find(db, run, task.id);
  if (!own) return std::unexpected(std::move(own.error()));
  int blockers = 0;
  for (const TaskId& id : task.after) {
    Result<std::optional<Stored>> before = find(db, run, id);
    if (!before) return std::unexpected(std::move(before.error()));
    if (!*before) {
      return fail_field("after",
                        fmt::format("task '{}' comes after '{}', which is not in its run",
                                    task.id.value, id.value),
                        "submit that one before it or with it");
    }
    Result<> linked = insert_dependency(db, (*before)->row, (*own)->row);
    if (!linked) return linked;
    if ((*before)->state != number(TaskState::kDone)) ++blockers;
    if ((*before)->state > number(TaskState::kDone)) failed.insert((*before)->root);
  }
  return set_blockers(db, (*own)->row, blockers);
}

Result<> check_cycles(const std::vector<Submission>& tasks) {
  std::vector<const TaskSpec*> specs;
  specs.reserve(tasks.size());
  for (const Submission& task : tasks) specs.push_back(&task.spec);
  Result<std::vector<std::size_t>> order = dependency_order(specs);
  if (!order) return std::unexpected(std::move(order.error()));
  return {};
}

}  // namespace

Result<> submit_tasks(Database& db, const RunInfo& run, const std::vector<Submission>& tasks,
                      Consequences& then) {
  // What is stored comes after nothing that is not: a circle can only be among the new ones.
  if (Result<> checked = check_cycles(tasks); !checked) return checked;
  if (Result<> made = insert_run(db, run); !made) return made;
  if (Result<> ours = check_owner(db, run); !ours) return ours;
  std::vector<const TaskSpec*> fresh;
  for (const Submission& task : tasks) {
    Result<bool> inserted = insert_task(db, run, task);
    if (!inserted) return std::unexpected(std::move(inserted.error()));
    if (*inserted) fresh.push_back(&task.spec);
  }
  std::set<std::int64_t> failed;
  for (const TaskSpec* task : fresh) {
    if (Result<> linked = link(db, run.id, *task, failed); !linked) return linked;
  }
  for (const std::int64_t root : failed) {
    if (Result<> told = fail_those_after(db, root, run.created, then); !told) return told;
  }
  return {};
}

Result<> label_tasks(Database& db, policy::Privacy privacy) {
  Result<Statement*> update = db.cached(
      "UPDATE tasks SET spec = json_set(spec, '$.privacy', ?1) "
      "WHERE state <= 1 AND CASE WHEN json_valid(spec) THEN json_extract(spec, '$.privacy') IS "
      "NULL "
      "ELSE 0 END");  // a spec that cannot be read stops itself alone
  if (!update) return std::unexpected(std::move(update.error()));
  return (*update)->bind(1, policy::name(privacy)).run();
}

}  // namespace minimill::tasks
