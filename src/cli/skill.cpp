#include "cli/skill.h"

#include <fmt/format.h>

#include <memory>

#include "base/json.h"
#include "cli/api_command.h"

namespace minimill::cli {
namespace {

struct SkillFlags {
  std::string operation;
  std::string app = "tasks";
  std::string to;
  bool as_json = false;
};

std::string_view text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string_view(value->get_string()) : "";
}

std::int64_t count_of(const json::object& object, std::string_view key) {
  return object.at(key).to_number<std::int64_t>();
}

double percent_of(const json::object& object, std::string_view key) {
  return 100 * object.at(key).to_number<double>();
}

void print_list(const json::object& answer) {
  const json::array& skills = answer.at("skills").as_array();
  if (skills.empty()) fmt::print("Nothing has been learnt yet.\n");
  if (!skills.empty()) {
    fmt::print("{:<10} {:<34} {:<20} {:>8} {:>7} {:>9} {:>7}\n", "app", "operation", "state",
               "examples", "right", "answered", "wrong");
  }
  for (const json::value& each : skills) {
    const json::object& skill = each.as_object();
    fmt::print("{:<10} {:<34} {:<20} {:>8} {:>5.0f} % {:>9} {:>7}\n", text_of(skill, "app"),
               text_of(skill, "operation"), text_of(skill, "state"), count_of(skill, "examples"),
               percent_of(skill, "share_right"), count_of(skill, "answered"),
               count_of(skill, "wrong"));
  }
  for (const json::value& each : answer.at("not_kept").as_array()) {
    const json::object& missed = each.as_object();
    const std::string_view app = text_of(missed, "app");
    fmt::print("{} answers to '{}' of {} could have been learnt from: minimill trace keep {} 30d\n",
               count_of(missed, "answers"), text_of(missed, "operation"), app, app);
  }
}

int list(const Context& context, const SkillFlags& flags) {
  auto call = [](ApiClient& api) { return api.get("/minimill/v1/skills"); };
  return with_api(context, flags.as_json, call, print_list);
}

std::string path_of(const SkillFlags& flags) {
  return "/minimill/v1/skills/" + url_encoded(flags.operation);
}

void print_log(const json::object& skill) {
  const json::array& log = skill.at("log").as_array();
  if (log.empty()) fmt::print("Nothing has become of it yet.\n");
  for (const json::value& each : log) {
    fmt::print("{}  {}\n", text_of(each.as_object(), "at"), text_of(each.as_object(), "text"));
  }
}

void print_skill(const json::object& skill) {
  fmt::print("{} of {}: {}\n", text_of(skill, "operation"), text_of(skill, "app"),
             text_of(skill, "state"));
  if (!text_of(skill, "form").empty()) fmt::print("  answers: {}\n", text_of(skill, "form"));
  fmt::print(
      "  learnt from {} answers; of the last predictions, made before the answer was known, "
      "{:.0f} % were right\n",
      count_of(skill, "examples"), percent_of(skill, "share_right"));
  const json::value& bar = skill.at("bar");
  if (bar.is_null()) {
    fmt::print("  answers nothing yet: about {} more predictions are needed as evidence\n",
               count_of(skill, "missing"));
  } else {
    fmt::print("  answers where it is at least {:.0f} % sure\n", percent_of(skill, "bar"));
  }
  fmt::print("  answered {}; of those checked or compared {} were right, {} wrong\n",
             count_of(skill, "answered"), count_of(skill, "right"), count_of(skill, "wrong"));
  for (const json::value& each : skill.at("templates").as_array()) {
    fmt::print("  template: {}\n", std::string_view(each.as_string()));
  }
}

int get(const Context& context, const SkillFlags& flags, void (*print)(const json::object&)) {
  const std::string path = path_of(flags) + "?app=" + url_encoded(flags.app);
  return with_api(context, flags.as_json, [&](ApiClient& api) { return api.get(path); }, print);
}

int show(const Context& context, const SkillFlags& flags) {
  return get(context, flags, print_skill);
}

int log(const Context& context, const SkillFlags& flags) { return get(context, flags, print_log); }

int pin(const Context& context, const SkillFlags& flags) {
  const json::object body{{"app", flags.app}, {"to", flags.to}};
  auto call = [&](ApiClient& api) { return api.post(path_of(flags) + "/pin", body); };
  const auto print = [&](const json::object&) {
    fmt::print("{}\n", flags.to == "cloud"
                           ? "Its micro-model answers nothing from now on, and learns on"
                           : "Its micro-model answers again where it may");
  };
  return with_api(context, flags.as_json, call, print);
}

}  // namespace

void add_skill(CLI::App& app, Context& context) {
  auto flags = std::make_shared<SkillFlags>();
  CLI::App* command = app.add_subcommand(
      "skill", "What was learnt from the cloud's answers, and is answered on the device");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  minimill skill list\n"
      "  minimill skill log triage-this-customer-mail\n"
      "  minimill skill pin triage-this-customer-mail cloud");
  add_action(command, context, flags, "list", "List operations, and how far each is", list);
  const auto named = [&](CLI::App* action) {
    action->add_option("operation", flags->operation, "As skill list names it")->required();
    action->add_option("--app", flags->app, "Whose; the owner's tasks without");
    return action;
  };
  named(add_action(command, context, flags, "show", "Show one", show));
  named(add_action(command, context, flags, "log", "Show what became of one, and when", log));
  CLI::App* pinning =
      named(add_action(command, context, flags, "pin",
                       "Leave an operation to the cloud, or let it answer again", pin));
  pinning->add_option("to", flags->to, "cloud or auto")
      ->required()
      ->check(CLI::IsMember({"cloud", "auto"}));
}

}  // namespace minimill::cli
