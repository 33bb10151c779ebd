#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>

#include "base/json.h"
#include "cli/command.h"
#include "cli/session.h"
#include "cli/terminal.h"

namespace minimill::cli {
namespace {

struct DecideFlags {
  std::string question;
  std::string input = "-";
  std::vector<std::string> choices;
  std::vector<std::string> levels;
  std::string model = "auto";
  bool local_only = false;
  bool as_json = false;
};

Result<std::string> read_input(const std::string& from) {
  if (from == "-") {
    return std::string(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  }
  std::ifstream file(from, std::ios::binary);
  if (!file) {
    return fail_field("--input", fmt::format("cannot read {}", from),
                      "name a file, or pipe the text in: minimill decide 'Is it spam?' < mail.txt");
  }
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

json::object question_of(const DecideFlags& flags) {
  json::object question{{"type", "predicate"}, {"instructions", flags.question}};
  const bool is_choice = !flags.choices.empty();
  if (!is_choice && flags.levels.empty()) return question;
  json::array options;
  for (const std::string& each : is_choice ? flags.choices : flags.levels) {
    options.push_back(json::object{{is_choice ? "value" : "label", each}});
  }
  question["type"] = is_choice ? "choice" : "score";
  question[is_choice ? "choices" : "levels"] = std::move(options);
  return question;
}

double percent_of(const json::object& object) {
  return 100 * object.at("probability").to_number<double>();
}

void print_answer(const json::object& answer) {
  const std::string_view type = answer.at("type").as_string();
  if (type == "refusal") fmt::print("The model declined to answer.\n");
  if (type == "predicate") fmt::print("{:.1f} % yes\n", percent_of(answer));
  if (type == "score") fmt::print("score {:.2f}\n", answer.at("score").to_number<double>());
  if (type != "choice" && type != "score") return;
  for (const json::value& each : answer.at("probabilities").as_array()) {
    const json::object& option = each.as_object();
    const json::value& named = option.at(type == "choice" ? "value" : "label");
    const bool is_it = type == "choice" && named == answer.at("choice");
    fmt::print("{} {:>5.1f} %  {}\n", is_it ? '*' : ' ', percent_of(option),
               named.is_string() ? std::string(named.get_string()) : json::serialize(named));
  }
}

int decide(const Context& context, const DecideFlags& flags) {
  const Result<std::string> input = read_input(flags.input);
  if (!input) return report_error(input.error());
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  Result<Session> session = Session::open(context, std::move(*config), {});
  if (!session) return report_error(session.error());
  const json::object body{
      {"model", flags.model}, {"input", *input}, {"questions", json::array{question_of(flags)}}};
  http::Headers headers{{"user-agent", "minimill-decide"}};
  if (flags.local_only) headers.add("x-minimill-privacy", "local-only");
  std::string text;
  const auto take = [&text](std::string_view bytes) {
    text += bytes;
    return Result<>{};
  };
  Result<ApiClient::Answered> answered =
      session->api().stream("/v1/decisions", body, std::move(headers), take);
  if (!answered) return report_error(answered.error());
  Result<json::object> said = parse_json_object(text);
  if (!said) return report_error(said.error());
  const http::Headers& about = answered->headers;
  if (flags.as_json) {
    (*said)["lane"] = about.get("x-minimill-lane");
    (*said)["request"] = about.get("x-minimill-request-id");
    fmt::print("{}\n", json::serialize(*said));
    return kExitOk;
  }
  print_answer(said->at("answers").as_array().front().as_object());
  const std::string by =
      fmt::format("{} lane, {}; why: minimill why {}", about.get("x-minimill-lane"),
                  about.get("x-minimill-model"), about.get("x-minimill-request-id"));
  fmt::print(stderr, "{}\n", colored(stderr, Color::kDim, by));
  return kExitOk;
}

}  // namespace

void add_decide(CLI::App& app, Context& context) {
  auto flags = std::make_shared<DecideFlags>();
  CLI::App* command = app.add_subcommand(
      "decide", "Ask a question with a closed set of answers about a text: how likely is each?");
  command->add_option("question", flags->question, "Yes or no, unless --choice or --level is given")
      ->required();
  command->add_option("-i,--input", flags->input, "The text's file; '-': standard input");
  CLI::Option* choices =
      command->add_option("--choice", flags->choices, "A possible answer; give each")
          ->allow_extra_args(false);
  command
      ->add_option("--level", flags->levels, "A level to rate it by, from low to high; give each")
      ->allow_extra_args(false)
      ->excludes(choices);
  command->add_option("-m,--model", flags->model,
                      "auto, local, cloud, or a model's name (minimill models)");
  command->add_flag("--local-only", flags->local_only, "Never let it leave this machine");
  command->add_flag("--json", flags->as_json, "Print the answer, as the API gives it, as JSON");
  command->footer(
      "Examples:\n"
      "  minimill decide 'Is this a complaint?' < mail.txt\n"
      "  minimill decide 'Which team is it for?' --choice billing --choice technical -i mail.txt\n"
      "  minimill decide 'How urgent is it?' --level low --level high --json < mail.txt");
  run_on_choice(command, context, flags, decide);
}

}  // namespace minimill::cli
