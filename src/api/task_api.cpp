#include "api/task_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "api/json_response.h"
#include "api/why.h"
#include "base/json.h"
#include "base/rfc3339.h"
#include "base/sha256.h"
#include "replay/report.h"

namespace minimill::api {
namespace {

constexpr int kCreated = 201;
constexpr int kOk = 200;
constexpr int kUnprocessable = 422;
constexpr std::string_view kKeyHeader = "Idempotency-Key";
constexpr std::int64_t kLatestDue_ms =
    253'402'300'799'999;  // the year 9999: all can be counted with
constexpr std::size_t kMaxListed = 1000;
constexpr std::size_t kMaxPageBytes = 1 << 20;               // of a list; at least one task
constexpr std::size_t kMaxReadBytes = std::size_t{8} << 20;  // for it
constexpr std::array kLong = {"notes", "answer"};  // as long as anybody likes: only where asked for
constexpr std::string_view kAdHocRun = "adhoc";    // tasks that came one by one

/// Every app has one of its own, so that ids of two apps cannot clash.
std::string ad_hoc_run(const policy::Scope& scope) {
  return scope.app() ? fmt::format("{}:{}", kAdHocRun, *scope.app()) : std::string(kAdHocRun);
}

Result<std::size_t> number_of(std::string_view query, std::string_view key, std::size_t otherwise,
                              std::size_t max) {
  const std::string text = http::query_value(query, key);
  if (text.empty()) return otherwise;
  std::size_t number = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (ec != std::errc{} || end != text.data() + text.size() || number > max) {
    return fail_field(std::string(key), fmt::format("'{}' must be between 0 and {}", key, max));
  }
  return number;
}

Result<tasks::TaskStore::Filter> filter_of(std::string_view query) {
  tasks::TaskStore::Filter filter;
  filter.run = {http::query_value(query, "run")};
  if (const std::string state = http::query_value(query, "state"); !state.empty()) {
    Result<tasks::TaskState> parsed = tasks::parse_task_state(state);
    if (!parsed) return std::unexpected(std::move(parsed.error()));
    filter.state = *parsed;
  }
  constexpr std::size_t kDefaultListed = 100;
  Result<std::size_t> limit = number_of(query, "limit", kDefaultListed, kMaxListed);
  if (!limit) return std::unexpected(std::move(limit.error()));
  Result<std::size_t> offset = number_of(query, "offset", 0, tasks::kMaxTasksPerRun);
  if (!offset) return std::unexpected(std::move(offset.error()));
  filter.limit = *limit;
  filter.offset = *offset;
  filter.max_bytes = kMaxReadBytes;
  return filter;
}

json::object to_json(const tasks::RunInfo& run) {
  return {{"run", run.id.value},      {"name", run.name},
          {"settings", run.settings}, {"created_at", rfc3339(run.created)},
          {"total", run.total},       {"unfinished", run.unfinished}};
}

json::object to_json(const tasks::Progress& progress) {
  return {{"total", progress.total},
          {"waiting", progress.waiting},
          {"running_local", progress.running_local},
          {"running_cloud", progress.running_cloud},
          {"running_batch", progress.running_batch},
          {"done_local", progress.done_local},
          {"done_cloud", progress.done_cloud},
          {"done_batch", progress.done_batch},
          {"failed", progress.failed},
          {"cancelled", progress.cancelled},
          {"escalated", progress.escalated},
          {"passed", progress.passed},
          {"checked", progress.checked},
          {"mean_queue_age_s", progress.mean_queue_age_s},
          {"cost_usd", progress.cost_usd}};
}

json::array to_json(const std::vector<tasks::TaskFailure>& failures) {
  json::array listed;
  for (const tasks::TaskFailure& each : failures) {
    listed.push_back({{"at", rfc3339(each.at)},
                      {"attempt", each.attempt},
                      {"lane", chat::name(each.lane)},
                      {"error", each.error}});
  }
  return listed;
}

std::unexpected<Error> no_task(const std::string& id) {
  return fail(ErrorCode::kNotFound, fmt::format("no task '{}'", id),
              "`minimill task list` lists the tasks there are");
}

std::unexpected<Error> no_run(const std::string& id) {
  return fail(ErrorCode::kNotFound, fmt::format("no run '{}'", id),
              "`minimill report --list` lists the runs there are");
}

Result<tasks::Submission> submission_of(const json::value& value, std::string_view where) {
  const json::object* object = value.if_object();
  const json::value* task = object == nullptr ? nullptr : object->if_contains("task");
  const json::value* due = object == nullptr ? nullptr : object->if_contains("due_ms");
  if (task == nullptr || due == nullptr || !due->is_int64()) {
    return fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: expected {{\"due_ms\": …, \"task\": {{…}}}}", where));
  }
  if (due->get_int64() < 0 || due->get_int64() > kLatestDue_ms) {
    return fail_field(fmt::format("{}.due_ms", where),
                      fmt::format("{}: 'due_ms' must be between 0 and {}", where, kLatestDue_ms));
  }
  Result<tasks::TaskSpec> spec = tasks::parse_task(json::serialize(*task), where);
  if (!spec) return std::unexpected(std::move(spec.error()));
  return tasks::Submission{.spec = std::move(*spec), .due = from_unix_ms(due->get_int64())};
}

/// What an Idempotency-Key stands for; empty where there is none.
std::string fingerprint_of(const http::Request& request) {
  if (!request.headers.has(kKeyHeader)) return {};
  return sha256_hex(request.path + "\n" + request.body);
}

struct Batch {
  tasks::RunInfo run;
  std::vector<tasks::Submission> tasks;
  std::string fingerprint;  // of the request, for its Idempotency-Key
};

Result<Batch> batch_of(const http::Request& request, const policy::NotifyPolicy& policy) {
  Result<json::object> parsed = parse_json_object(request.body);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  Batch batch;
  Fields fields(*parsed);
  batch.run.name = fields.required_string("name");
  batch.run.fingerprint = fields.string_or("fingerprint", "");
  if (const json::object* settings = fields.optional_object("settings")) {
    batch.run.settings = *settings;
  }
  const json::array* tasks = fields.optional_array("tasks");
  if (tasks == nullptr) fields.reject("tasks", "is required");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (tasks->size() > tasks::kMaxTasksPerRun) {
    return fail_field("tasks", fmt::format("'tasks' has more than {}", tasks::kMaxTasksPerRun));
  }
  for (std::size_t i = 0; i < tasks->size(); ++i) {
    Result<tasks::Submission> task = submission_of((*tasks)[i], fmt::format("tasks[{}]", i));
    if (!task) return std::unexpected(std::move(task.error()));
    if (!task->spec.notify.empty()) {
      Result<> admitted = policy.admit(task->spec.notify);
      if (!admitted) {
        return std::unexpected(std::move(admitted.error()).context(fmt::format("tasks[{}]", i)));
      }
    }
    batch.tasks.push_back(std::move(*task));
  }
  batch.fingerprint = fingerprint_of(request);
  return batch;
}

}  // namespace

TaskApi::TaskApi(const Clock& clock, IdSource& ids, tasks::TaskStore& store,
                 tasks::TaskStore& tasks, ledger::Ledger& ledger, async::BlockingPool& offload,
                 tasks::TaskRunner& runner, lane::Lanes& lanes, serve::ModelSelector& selector,
                 serve::Engines& engines, const policy::NotifyPolicy& notify_policy, Access& access)
    : clock_(clock),
      ids_(ids),
      store_(store),
      tasks_(tasks),
      ledger_(ledger),
      offload_(offload),
      runner_(runner),
      lanes_(lanes),
      selector_(selector),
      engines_(engines),
      notify_policy_(notify_policy),
      access_(access) {}

void TaskApi::add_to(Routes& routes) {
  using http::Request;
  using http::Responder;
  routes.add("POST", "/minimill/v1/tasks", {"Adds a task", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts&) {
               return add_task(request, out);
             });
  routes.add("GET", "/minimill/v1/tasks", {"Lists tasks", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts&) {
               return list_tasks(request, out);
             });
  routes.add("GET", "/minimill/v1/tasks/{id}", {"One task", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts& parts) {
               return show_task(request, out, parts[0]);
             });
  routes.add("POST", "/minimill/v1/tasks/{id}/cancel", {"Cancels a task", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts& parts) {
               return cancel_task(request, out, parts[0]);
             });
  routes.add("POST", "/minimill/v1/tasks/{id}/retry", {"Tries a failed task anew", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts& parts) {
               return retry_task(request, out, parts[0]);
             });
  routes.add("POST", "/minimill/v1/tasks/retry", {"Tries all failed tasks anew", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts&) {
               return retry_all(request, out);
             });
  routes.add("POST", "/minimill/v1/runs/{id}/tasks", {"Adds a file of tasks to a run", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts& parts) {
               return add_tasks(request, out, parts[0]);
             });
  routes.add("GET", "/minimill/v1/runs", {"Lists runs", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts&) {
               return list_runs(request, out);
             });
  routes.add("GET", "/minimill/v1/runs/{id}", {"One run and how far it is", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts& parts) {
               return show_run(request, out, parts[0]);
             });
  routes.add("GET", "/minimill/v1/runs/{id}/report", {"What a run was worth", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts& parts) {
               return report(request, out, parts[0]);
             });
  routes.add("GET", "/minimill/v1/why/{id}",
             {"Why a request or a task went where it went", Who::kOwn},
             [this](Request& request, Responder& out, const PathParts& parts) {
               return why(request, out, parts[0]);
             });
}

asio::awaitable<void> TaskApi::answer(std::function<Result<json::value>()> query,
                                      http::Responder& out) {
  // Written there, too: a page may be a megabyte.
  std::function<Result<std::string>()> write = [query = std::move(query)]() -> Result<std::string> {
    const Result<json::value> value = query();
    if (!value) return std::unexpected(value.error());
    return json::serialize(*value) + "\n";
  };
  Result<std::string> body = co_await offload_.run<Result<std::string>>(std::move(write));
  if (!body) {
    co_await send_json_error(body.error(), out);
    co_return;
  }
  http::Headers headers{{"content-type", "application/json"}};
  co_await out.send(kOk, std::move(headers), std::move(*body));
}

asio::awaitable<void> TaskApi::add_task(http::Request& request, http::Responder& out) {
  const std::string fingerprint = fingerprint_of(request);
  std::string body = std::move(request.body);
  Result<json::object> parsed = parse_json_object(body);
  if (parsed && !parsed->contains("id")) {  // in a file an id is the author's; here it may be ours
    (*parsed)["id"] = ids_.task().value;
    body = json::serialize(*parsed);
  }
  Result<tasks::TaskSpec> spec = tasks::parse_task(body, "task");
  if (spec) {
    const Result<> admitted = access_.admit(request, *spec);
    if (!admitted) spec = std::unexpected(admitted.error());
  }
  if (spec && !spec->notify.empty()) {
    const Result<> admitted = notify_policy_.admit(spec->notify);
    if (!admitted) spec = std::unexpected(admitted.error());
  }
  if (!spec) {
    co_await send_json_error(spec.error(), out);
    co_return;
  }
  tasks::RunInfo run;
  run.id = {ad_hoc_run(scope_of(request))};
  run.name = kAdHocRun;
  json::object accepted{{"id", spec->id.value}, {"run", run.id.value}};
  std::vector<tasks::Submission> tasks;
  tasks.push_back({.spec = std::move(*spec), .due = clock_.wall()});
  co_await submit(request, fingerprint, std::move(run), std::move(tasks), std::move(accepted), out);
}

asio::awaitable<void> TaskApi::add_tasks(http::Request& request, http::Responder& out,
                                         std::string run) {
  std::function<Result<Batch>()> parse = [this, &request] {
    return batch_of(request, notify_policy_);
  };
  Result<Batch> batch = co_await offload_.run<Result<Batch>>(std::move(parse));
  if (!batch) {
    co_await send_json_error(batch.error(), out);
    co_return;
  }
  for (tasks::Submission& task : batch->tasks) {
    const Result<> admitted = access_.admit(request, task.spec);
    if (!admitted) {
      co_await send_json_error(admitted.error(), out);
      co_return;
    }
  }
  if (run.starts_with(kAdHocRun) && run != ad_hoc_run(scope_of(request))) {
    const Error reserved =
        fail_field("run", "runs of this name are for tasks that come one by one").error();
    co_await send_json_error(reserved, out);
    co_return;
  }
  batch->run.id = run == "new" ? ids_.run() : RunId{std::move(run)};
  json::object accepted{{"run", batch->run.id.value}, {"accepted", batch->tasks.size()}};
  co_await submit(request, batch->fingerprint, std::move(batch->run), std::move(batch->tasks),
                  std::move(accepted), out);
}

asio::awaitable<void> TaskApi::submit(const http::Request& request, const std::string& fingerprint,
                                      tasks::RunInfo run, std::vector<tasks::Submission> tasks,
                                      json::object accepted, http::Responder& out) {
  run.created = clock_.wall();
  run.app = scope_of(request).owner_of_new();
  std::optional<tasks::SubmissionKey> key;
  tasks::SubmissionAnswer answer{.status = kCreated, .body = json::serialize(accepted) + "\n"};
  if (request.headers.has(kKeyHeader)) {
    key.emplace(tasks::SubmissionKey{.app = request.principal,
                                     .key = std::string(request.headers.get(kKeyHeader)),
                                     .fingerprint = fingerprint,
                                     .answer = answer});
    const Result<> good = tasks::check_key(key->key);
    if (!good) {
      co_await send_json_error(good.error(), out);
      co_return;
    }
  }
  // Only from there on has the intake to look again, however much is queued.
  WallTime earliest = run.created;
  for (const tasks::Submission& task : tasks) earliest = std::min(earliest, task.due);
  Result<std::optional<tasks::SubmissionAnswer>> saved =
      co_await store_.submit_once(std::move(run), std::move(tasks), std::move(key));
  if (!saved) {
    const int status = saved.error().field == kKeyHeader ? kUnprocessable : 0;
    co_await send_json_error(saved.error(), out, status);
    co_return;
  }
  runner_.ready_since(earliest);
  if (*saved) answer = std::move(**saved);
  http::Headers headers{{"content-type", "application/json"}};
  co_await out.send(answer.status, std::move(headers), std::move(answer.body));
}

asio::awaitable<void> TaskApi::list_tasks(http::Request& request, http::Responder& out) {
  Result<tasks::TaskStore::Filter> filter = filter_of(request.query);
  if (!filter) {
    co_await send_json_error(filter.error(), out);
    co_return;
  }
  filter->scope = scope_of(request);
  const bool whole = http::query_value(request.query, "whole") == "true";
  std::function<Result<json::value>()> query = [this, &filter, whole]() -> Result<json::value> {
    Result<std::vector<tasks::Task>> tasks = tasks_.list(*filter);
    if (!tasks) return std::unexpected(std::move(tasks.error()));
    json::array listed;
    std::size_t bytes = 0;
    for (const tasks::Task& task : *tasks) {
      json::object shown = tasks::to_json(task);
      for (const char* name : kLong) {
        if (!whole) shown.erase(name);
      }
      bytes += json::serialize(shown).size();
      if (bytes > kMaxPageBytes && !listed.empty()) break;
      listed.push_back(std::move(shown));
    }
    json::object page;
    const std::size_t next = filter->offset + listed.size();
    const bool more = listed.size() < tasks->size() || tasks->size() == filter->limit;
    page["tasks"] = std::move(listed);
    if (more && filter->limit > 0) page["next_offset"] = next;
    return page;
  };
  co_await answer(std::move(query), out);
}

asio::awaitable<void> TaskApi::show_task(http::Request& request, http::Responder& out,
                                         std::string id) {
  const RunId run{http::query_value(request.query, "run")};
  const policy::Scope scope = scope_of(request);
  std::function<Result<json::value>()> query = [this, &id, &run, &scope]() -> Result<json::value> {
    Result<std::optional<tasks::Task>> task = tasks_.find({id}, run, scope);
    if (!task) return std::unexpected(std::move(task.error()));
    if (!*task) return no_task(id);
    json::object shown = tasks::to_json(**task);
    Result<std::vector<tasks::TaskFailure>> failures = tasks_.failures({id}, (*task)->run);
    if (!failures) return std::unexpected(std::move(failures.error()));
    if (!failures->empty()) shown["failures"] = to_json(*failures);
    return shown;
  };
  co_await answer(std::move(query), out);
}

Result<RunId> TaskApi::run_of(const http::Request& request, const std::string& id) {
  const RunId asked{http::query_value(request.query, "run")};
  Result<std::optional<tasks::Task>> task = store_.find({id}, asked, scope_of(request));
  if (!task) return std::unexpected(std::move(task.error()));
  if (!*task) return no_task(id);
  return (*task)->run;
}

asio::awaitable<void> TaskApi::cancel_task(http::Request& request, http::Responder& out,
                                           std::string id) {
  Result<RunId> run = run_of(request, id);
  Result<> cancelled;
  if (run) {
    TaskId task{id};
    cancelled = co_await store_.cancel(std::move(task), std::move(*run), clock_.wall());
  } else {
    cancelled = std::unexpected(std::move(run.error()));
  }
  if (cancelled) {
    const json::value done = json::object{{"id", id}, {"state", "cancelled"}};
    co_await send_json(kOk, done, out);
  } else {
    co_await send_json_error(cancelled.error(), out);
  }
}

asio::awaitable<void> TaskApi::retry_task(http::Request& request, http::Responder& out,
                                          std::string id) {
  Result<RunId> run = run_of(request, id);
  Result<> retried;
  if (run) {
    TaskId task{id};
    retried = co_await store_.retry(std::move(task), std::move(*run), clock_.wall());
  } else {
    retried = std::unexpected(std::move(run.error()));
  }
  if (!retried) {
    co_await send_json_error(retried.error(), out);
    co_return;
  }
  runner_.wake();
  const json::value done = json::object{{"id", id}, {"state", "queued"}};
  co_await send_json(kOk, done, out);
}

asio::awaitable<void> TaskApi::retry_all(http::Request& request, http::Responder& out) {
  RunId run{http::query_value(request.query, "run")};
  policy::Scope scope = scope_of(request);
  Result<std::size_t> retried =
      co_await store_.retry_all(std::move(run), std::move(scope), clock_.wall());
  if (!retried) {
    co_await send_json_error(retried.error(), out);
    co_return;
  }
  runner_.wake();
  const json::value done = json::object{{"retried", *retried}};
  co_await send_json(kOk, done, out);
}

asio::awaitable<void> TaskApi::list_runs(http::Request& request, http::Responder& out) {
  const std::string fingerprint = http::query_value(request.query, "fingerprint");
  const policy::Scope scope = scope_of(request);
  std::function<Result<json::value>()> query = [this, &fingerprint,
                                                &scope]() -> Result<json::value> {
    json::array listed;
    if (!fingerprint.empty()) {
      Result<std::optional<tasks::RunInfo>> run = tasks_.unfinished_run(fingerprint, scope);
      if (!run) return std::unexpected(std::move(run.error()));
      if (*run) listed.push_back(to_json(**run));
    } else {
      Result<std::vector<tasks::RunInfo>> runs = tasks_.runs(kMaxListed, scope);
      if (!runs) return std::unexpected(std::move(runs.error()));
      for (const tasks::RunInfo& run : *runs) listed.push_back(to_json(run));
    }
    return json::object{{"runs", std::move(listed)}};
  };
  co_await answer(std::move(query), out);
}

asio::awaitable<void> TaskApi::show_run(http::Request& request, http::Responder& out,
                                        std::string id) {
  const policy::Scope scope = scope_of(request);
  std::function<Result<json::value>()> query = [this, &id, &scope]() -> Result<json::value> {
    Result<std::optional<tasks::RunInfo>> run = tasks_.find_run({id}, scope);
    if (!run) return std::unexpected(std::move(run.error()));
    if (!*run) return no_run(id);
    Result<tasks::Progress> progress = tasks_.progress({id});
    if (!progress) return std::unexpected(std::move(progress.error()));
    json::object shown = to_json(**run);
    shown["progress"] = to_json(*progress);
    return shown;
  };
  co_await answer(std::move(query), out);
}

asio::awaitable<void> TaskApi::report(http::Request& request, http::Responder& out,
                                      std::string id) {
  const int slots = lanes_.task_slots(chat::Lane::kLocal) + lanes_.task_slots(chat::Lane::kCloud);
  const std::string cloud =
      selector_.providers().empty() ? "none" : selector_.providers().front()->options().name;
  const std::string model = engines_.default_model();
  const policy::Scope scope = scope_of(request);
  std::function<Result<replay::Report>()> query = [this, &id, &scope, slots, &cloud, &model] {
    return make_report(id, scope, slots, cloud, model);
  };
  Result<replay::Report> made = co_await offload_.run<Result<replay::Report>>(std::move(query));
  if (!made) {
    co_await send_json_error(made.error(), out);
  } else if (http::query_value(request.query, "format") == "table") {
    http::Headers headers{{"content-type", "text/plain; charset=utf-8"}};
    std::string table = replay::to_table(*made);
    co_await out.send(kOk, std::move(headers), std::move(table));
  } else {
    const json::value shown = replay::to_json(*made);
    co_await send_json(kOk, shown, out);
  }
}

Result<replay::Report> TaskApi::make_report(const std::string& id, const policy::Scope& scope,
                                            int slots, std::string cloud,
                                            std::string local_model) const {
  Result<std::optional<tasks::RunInfo>> run = tasks_.find_run({id}, scope);
  if (!run) return std::unexpected(std::move(run.error()));
  if (!*run) return no_run(id);
  tasks::TaskStore::Filter filter;
  filter.run = {id};
  filter.limit = tasks::kMaxTasksPerRun;
  Result<std::vector<tasks::Task>> tasks = tasks_.list(filter);
  if (!tasks) return std::unexpected(std::move(tasks.error()));
  replay::Report report = replay::make_report(*tasks, slots);
  report.run = id;
  report.name = (*run)->name;
  // What the run was started with is what answered it, whatever is configured now.
  Fields settings((*run)->settings);
  report.cloud = settings.string_or("cloud", cloud);
  report.local_model = settings.string_or("local_model", local_model);
  report.warning = settings.string_or("warning", "");
  return report;
}

asio::awaitable<void> TaskApi::why(http::Request& request, http::Responder& out, std::string id) {
  const std::string run = http::query_value(request.query, "run");
  const policy::Scope scope = scope_of(request);
  std::function<Result<json::value>()> query = [this, &id, &run, &scope] {
    return explain(id, run, scope);
  };
  co_await answer(std::move(query), out);
}

Result<json::value> TaskApi::explain(const std::string& id, const std::string& run,
                                     const policy::Scope& scope) const {
  std::vector<ledger::RequestRecord> records;
  Result<std::optional<ledger::RequestRecord>> one = ledger_.find({id});
  if (!one) return std::unexpected(std::move(one.error()));
  if (*one) {
    records.push_back(std::move(**one));
  } else {
    Result<std::vector<ledger::RequestRecord>> of_task = ledger_.of_task({id}, {run});
    if (!of_task) return std::unexpected(std::move(of_task.error()));
    records = std::move(*of_task);
  }
  std::erase_if(records, [&scope](const auto& record) { return !scope.covers(record.app); });
  if (records.empty()) {
    return fail(ErrorCode::kNotFound, fmt::format("nothing was decided for '{}'", id),
                "give a request id (x-minimill-request-id) or a task id (`minimill task list`)");
  }
  json::array explained;
  for (ledger::RequestRecord& record : records) {
    Result<std::vector<ledger::Outcome>> outcomes = ledger_.outcomes(record.id);
    if (!outcomes) return std::unexpected(std::move(outcomes.error()));
    explained.push_back(
        to_json(Explained{.record = std::move(record), .outcomes = std::move(*outcomes)}));
  }
  return json::object{{"requests", std::move(explained)}};
}

}  // namespace minimill::api
