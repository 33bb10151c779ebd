#include <fmt/format.h>

#include "base/json.h"
#include "cli/api_command.h"
#include "cli/duration.h"
#include "cli/terminal.h"

namespace minimill::cli {
namespace {

constexpr std::size_t kReasonWidth = 110;

struct TaskFlags {
  std::string id;
  std::string run;
  std::string state;
  int limit = 50;
  bool as_json = false;
  std::string title;
  std::string notes;
  std::string check;
  std::string privacy;
  std::string can_wait;
  std::vector<std::string> after;
  std::string notify;
  std::string idempotency_key;
  bool all = false;
};

std::string with_run(std::string path, const TaskFlags& flags) {
  if (!flags.run.empty()) path += "?run=" + url_encoded(flags.run);
  return path;
}

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return "-";
  if (value->is_string()) return std::string(value->get_string());
  if (value->is_double()) return fmt::format("{:.3f}", value->get_double());
  return json::serialize(*value);
}

std::string shortened(std::string text, std::size_t width) {
  for (char& c : text) c = static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  if (text.size() <= width) return text;
  // Not in the middle of a UTF-8 sequence.
  std::size_t cut = width - 1;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0U) == 0x80U) --cut;
  return text.substr(0, cut) + "…";
}

Result<json::object> add(ApiClient& api, const TaskFlags& flags) {
  json::object task{{"title", flags.title}};
  task["notes"] = flags.notes;
  if (!flags.id.empty()) task["id"] = flags.id;
  if (!flags.privacy.empty()) task["privacy"] = flags.privacy;
  if (!flags.can_wait.empty()) {
    Result<double> seconds = parse_seconds(flags.can_wait, "--can-wait");
    if (!seconds) return std::unexpected(std::move(seconds.error()));
    task["can_wait_s"] = *seconds;
  }
  if (!flags.check.empty()) {
    Result<json::value> check = parse_json(flags.check);
    if (!check) return std::unexpected(std::move(check.error()).context("--check"));
    task["check"] = std::move(*check);
  }
  if (!flags.after.empty()) task["after"] = json::value_from(flags.after);
  if (!flags.notify.empty()) task["notify"] = flags.notify;
  http::Headers headers;
  if (!flags.idempotency_key.empty()) headers.add("Idempotency-Key", flags.idempotency_key);
  return api.post("/minimill/v1/tasks", task, headers);
}

void print_list(const json::object& answer) {
  const json::array& tasks = answer.at("tasks").as_array();
  if (tasks.empty()) {
    fmt::print("No tasks. Add one with: minimill task add TITLE\n");
    return;
  }
  fmt::print("{:<28} {:<9} {:<6} {:<8} {:>8}  {}\n", "id", "state", "lane", "passed", "seconds",
             "title");
  for (const json::value& each : tasks) {
    const json::object& task = each.as_object();
    const bool cloud = text_of(task, "lane") != "local";
    fmt::print("{:<28} {:<9} {:<6} {:<8} {:>8}  {}\n", shortened(text_of(task, "id"), 28),
               text_of(task, "state"), text_of(task, "lane"),
               text_of(task, cloud ? "cloud_passed" : "local_passed"), text_of(task, "duration_s"),
               shortened(text_of(task, "title"), 34));
    const bool failed = text_of(task, "state") == "failed";
    if (failed) fmt::print("  {}\n", shortened(text_of(task, "error"), kReasonWidth));
  }
}

void print_task(const json::object& task) {
  for (const auto& [key, value] : task) {
    if (value.is_null() || key == "failures") continue;
    fmt::print("{:<18} {}\n", std::string_view(key), text_of(task, key));
  }
  const json::value* failures = task.if_contains("failures");
  if (failures == nullptr) return;
  fmt::print("failed attempts, the newest last\n");
  for (const json::value& each : failures->as_array()) {
    const json::object& failure = each.as_object();
    fmt::print("  {} attempt {}, {}: {}\n", text_of(failure, "at"), text_of(failure, "attempt"),
               text_of(failure, "lane"), text_of(failure, "error"));
  }
}

int add_one(const Context& context, const TaskFlags& flags) {
  return with_api(
      context, flags.as_json, [&](ApiClient& api) { return add(api, flags); },
      [](const json::object& answer) {
        fmt::print("{} is in the queue; see it with: minimill task show {}\n",
                   text_of(answer, "id"), text_of(answer, "id"));
      });
}

int list(const Context& context, const TaskFlags& flags) {
  std::string path = fmt::format("/minimill/v1/tasks?limit={}", flags.limit);
  if (!flags.run.empty()) path += "&run=" + url_encoded(flags.run);
  if (!flags.state.empty()) path += "&state=" + url_encoded(flags.state);
  return with_api(
      context, flags.as_json, [&](ApiClient& api) { return api.get(path); }, print_list);
}

int show(const Context& context, const TaskFlags& flags) {
  const std::string path = with_run("/minimill/v1/tasks/" + url_encoded(flags.id), flags);
  return with_api(
      context, flags.as_json, [&](ApiClient& api) { return api.get(path); }, print_task);
}

int cancel(const Context& context, const TaskFlags& flags) {
  const std::string path =
      with_run("/minimill/v1/tasks/" + url_encoded(flags.id) + "/cancel", flags);
  return with_api(
      context, flags.as_json, [&](ApiClient& api) { return api.post(path, json::object{}); },
      [&](const json::object&) { fmt::print("{} is cancelled\n", flags.id); });
}

int retry(const Context& context, const TaskFlags& flags) {
  if (flags.all == !flags.id.empty()) {
    return report_error(Error{.code = ErrorCode::kInvalidArgument,
                              .message = "which task?",
                              .hint = "give one id, or --all",
                              .field = {},
                              .retry_after = {}});
  }
  const std::string path = flags.all
                               ? "/minimill/v1/tasks/retry"
                               : fmt::format("/minimill/v1/tasks/{}/retry", url_encoded(flags.id));
  return with_api(
      context, flags.as_json,
      [&](ApiClient& api) { return api.post(with_run(path, flags), json::object{}); },
      [&](const json::object& answer) {
        if (flags.all) {
          fmt::print("{} failed tasks are in the queue again\n", text_of(answer, "retried"));
        } else {
          fmt::print("{} is in the queue again\n", flags.id);
        }
      });
}

}  // namespace

void add_task(CLI::App& app, Context& context) {
  auto flags = std::make_shared<TaskFlags>();
  CLI::App* command = app.add_subcommand("task", "Add, list, show, cancel and retry tasks");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  minimill task add 'Triage this mail' --notes 'My card has not arrived'\n"
      "  minimill task add 'Sum up this report' --notes \"$(cat report.txt)\" --can-wait 8h\n"
      "  minimill task add 'Sum it up' --after triage --notify http://127.0.0.1:9000/done\n"
      "  minimill task list --state failed\n"
      "  minimill task retry --all\n"
      "  minimill task show task_01J…");

  CLI::App* add = add_action(command, context, flags, "add",
                             "Put a task in the queue; it is on disk when this returns", add_one);
  add->add_option("title", flags->title, "What is to be done")->required();
  add->add_option("--notes", flags->notes, "The text it is to be done with");
  add->add_option("--id", flags->id, "A name of your own; adding it twice adds it once");
  add->add_option("--check", flags->check, "How to tell a right answer, as JSON")
      ->type_name("JSON");
  add->add_option("--privacy", flags->privacy, "local-only or allow")
      ->check(CLI::IsMember({"local-only", "allow"}));

  add->add_option("--can-wait", flags->can_wait,
                  "An answer within this time is soon enough: may go in a batch, at half price")
      ->type_name("TIME");
  add->add_option("--after", flags->after, "Tasks that must be done first")->type_name("ID");
  add->add_option("--notify", flags->notify, "Where its outcome is posted ([outbox] allow)")
      ->type_name("URL");
  add->add_option("--idempotency-key", flags->idempotency_key,
                  "Sent again with the same key, it is added once")
      ->type_name("KEY");

  CLI::App* listing = add_action(command, context, flags, "list", "List tasks by arrival", list);
  listing->add_option("--run", flags->run, "Only those of this run");
  listing->add_option("--state", flags->state, "Only those in this state")
      ->check(CLI::IsMember({"queued", "running", "done", "failed", "cancelled"}));
  listing->add_option("--limit", flags->limit, "At most this many")->check(CLI::Range(1, 1000));

  CLI::App* showing =
      add_action(command, context, flags, "show", "Show everything about a task", show);
  showing->add_option("id", flags->id, "The task's id")->required();
  showing->add_option("--run", flags->run, "Its run; the newest one with this id otherwise");

  CLI::App* cancelling =
      add_action(command, context, flags, "cancel", "Cancel a task that has not ended", cancel);
  cancelling->add_option("id", flags->id, "The task's id")->required();
  cancelling->add_option("--run", flags->run, "Its run; the newest one with this id otherwise");

  CLI::App* retrying = add_action(command, context, flags, "retry",
                                  "Try a failed task anew, and what failed because of it", retry);
  retrying->add_option("id", flags->id, "The task's id");
  retrying->add_flag("--all", flags->all, "Every task that failed");
  retrying->add_option("--run", flags->run, "Its run, or (with --all) the run whose tasks");
}

}  // namespace minimill::cli
