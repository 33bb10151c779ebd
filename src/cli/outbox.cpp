#include <fmt/format.h>

#include <memory>

#include "base/json.h"
#include "cli/api_command.h"

namespace minimill::cli {
namespace {

struct OutboxFlags {
  std::string id;
  std::string state;
  int limit = 50;
  bool all = false;
  bool as_json = false;
};

std::string_view text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : "";
}

void print_list(const json::object& answer) {
  const json::array& effects = answer.at("effects").as_array();
  if (effects.empty()) {
    fmt::print(
        "The outbox is empty. A task's outcome is posted with: minimill task add --notify URL\n");
    return;
  }
  fmt::print("{:<39} {:<9} {:>8}  {:<28} {}\n", "id", "state", "attempts", "task", "url");
  for (const json::value& each : effects) {
    const json::object& effect = each.as_object();
    fmt::print("{:<39} {:<9} {:>8}  {:<28} {}\n", text_of(effect, "id"), text_of(effect, "state"),
               effect.at("attempts").as_int64(), text_of(effect, "task"), text_of(effect, "url"));
    const std::string_view error = text_of(effect, "last_error");
    if (!error.empty()) fmt::print("  {}\n", error);
  }
}

int list(const Context& context, const OutboxFlags& flags) {
  std::string path = fmt::format("/minimill/v1/outbox?limit={}", flags.limit);
  if (!flags.state.empty()) path += "&state=" + url_encoded(flags.state);
  return with_api(
      context, flags.as_json, [&](ApiClient& api) { return api.get(path); }, print_list);
}

int retry(const Context& context, const OutboxFlags& flags) {
  if (flags.all == !flags.id.empty()) {
    return report_error(Error{.code = ErrorCode::kInvalidArgument,
                              .message = "which effect?",
                              .hint = "give one id, or --all",
                              .field = {},
                              .retry_after = {}});
  }
  const std::string path = flags.all
                               ? "/minimill/v1/outbox/retry"
                               : fmt::format("/minimill/v1/outbox/{}/retry", url_encoded(flags.id));
  return with_api(
      context, flags.as_json, [&](ApiClient& api) { return api.post(path, json::object{}); },
      [&](const json::object& answer) {
        const json::value* count = answer.if_contains("retried");
        if (count != nullptr) {
          fmt::print("{} dead effects are tried again\n", json::serialize(*count));
        } else {
          fmt::print("{} is tried again\n", flags.id);
        }
      });
}

}  // namespace

void add_outbox(CLI::App& app, Context& context) {
  auto flags = std::make_shared<OutboxFlags>();
  CLI::App* command =
      app.add_subcommand("outbox", "What tasks tell others when they end: list it, try it again");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  minimill outbox list --state dead\n"
      "  minimill outbox retry --all");

  CLI::App* listing =
      add_action(command, context, flags, "list", "List effects, the newest first", list);
  listing->add_option("--state", flags->state, "Only those in this state")
      ->check(CLI::IsMember({"pending", "delivered", "dead"}));
  listing->add_option("--limit", flags->limit, "At most this many")->check(CLI::Range(1, 1000));

  CLI::App* retrying =
      add_action(command, context, flags, "retry", "Try an effect anew that was given up", retry);
  retrying->add_option("id", flags->id, "The effect's id");
  retrying->add_flag("--all", flags->all, "Every effect that was given up");
}

}  // namespace minimill::cli
