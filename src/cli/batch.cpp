#include <fmt/format.h>

#include "base/json.h"
#include "cli/api_command.h"
#include "cli/terminal.h"

namespace minimill::cli {
namespace {

struct BatchFlags {
  std::string id;
  int limit = 50;
  bool as_json = false;
};

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) return "-";
  if (value->is_string()) return std::string(value->get_string());
  if (value->is_double()) return fmt::format("{:.6f}", value->get_double());
  return json::serialize(*value);
}

void print_list(const json::object& answer) {
  const std::string gathered = text_of(answer, "gathered");
  if (gathered != "0") fmt::print("{} tasks are being gathered for the next batch\n", gathered);
  const json::array& batches = answer.at("batches").as_array();
  if (batches.empty()) {
    fmt::print(
        "No batches. Tasks that can wait make them: minimill task add TITLE --can-wait 8h\n");
    return;
  }
  fmt::print("{:<33} {:<10} {:<8} {:>5} {:>8} {:>8} {:>6} {:>10}\n", "id", "provider", "state",
             "tasks", "answered", "waiting", "back", "USD");
  for (const json::value& each : batches) {
    const json::object& batch = each.as_object();
    fmt::print("{:<33} {:<10} {:<8} {:>5} {:>8} {:>8} {:>6} {:>10}\n", text_of(batch, "id"),
               text_of(batch, "provider"), text_of(batch, "state"), text_of(batch, "tasks"),
               text_of(batch, "answered"), text_of(batch, "waiting"), text_of(batch, "given_back"),
               text_of(batch, "cost_usd"));
  }
}

void print_batch(const json::object& batch) {
  for (const auto& [key, value] : batch) {
    if (value.is_array() || value.is_null()) continue;
    fmt::print("{:<14} {}\n", std::string_view(key), text_of(batch, key));
  }
  const json::array& items = batch.at("items").as_array();
  fmt::print("\n{:<32} {:<11} {}\n", "task", "state", "taken back at");
  for (const json::value& each : items) {
    const json::object& item = each.as_object();
    fmt::print("{:<32} {:<11} {}\n", text_of(item, "task"), text_of(item, "state"),
               text_of(item, "take_back_at"));
  }
}

int list(const Context& context, const BatchFlags& flags) {
  const std::string path = fmt::format("/minimill/v1/batches?limit={}", flags.limit);
  return with_api(
      context, flags.as_json, [&](ApiClient& api) { return api.get(path); }, print_list);
}

int show(const Context& context, const BatchFlags& flags) {
  const std::string path = "/minimill/v1/batches/" + url_encoded(flags.id);
  return with_api(
      context, flags.as_json, [&](ApiClient& api) { return api.get(path); }, print_batch);
}

int cancel(const Context& context, const BatchFlags& flags) {
  const std::string path = "/minimill/v1/batches/" + url_encoded(flags.id) + "/cancel";
  return with_api(
      context, flags.as_json, [&](ApiClient& api) { return api.post(path, json::object{}); },
      [&](const json::object&) {
        fmt::print(
            "{} is being cancelled: what is answered already is used, the rest is done in the "
            "ordinary lanes\n",
            flags.id);
      });
}

}  // namespace

void add_batch(CLI::App& app, Context& context) {
  auto flags = std::make_shared<BatchFlags>();
  CLI::App* command =
      app.add_subcommand("batch", "List, show and cancel batches of tasks at providers");
  command->require_subcommand(1);
  command->footer(
      "Tasks that can wait are gathered and sent through the provider's batch API at a discount.\n"
      "Examples:\n"
      "  minimill task add 'Sum up this report' --can-wait 8h\n"
      "  minimill batch list\n"
      "  minimill batch show batch_01J…");
  CLI::App* listing =
      add_action(command, context, flags, "list", "List batches, the newest first", list);
  listing->add_option("--limit", flags->limit, "At most this many")->check(CLI::Range(1, 1000));
  CLI::App* showing = add_action(command, context, flags, "show", "Show a batch's tasks", show);
  showing->add_option("id", flags->id, "The batch's id")->required();
  CLI::App* cancelling =
      add_action(command, context, flags, "cancel",
                 "Cancel a batch; what is not answered yet is done in the ordinary lanes", cancel);
  cancelling->add_option("id", flags->id, "The batch's id")->required();
}

}  // namespace minimill::cli
