#include <fmt/format.h>

#include <iostream>
#include <iterator>

#include "cli/command.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "http/sse_reader.h"
#include "protocol/openai.h"

namespace minimill::cli {
namespace {

struct AskFlags {
  std::vector<std::string> prompt;
  std::string model = "auto";
  bool local_only = false;
  bool as_json = false;
  int max_tokens = 0;
};

std::string prompt_of(const AskFlags& flags) {
  std::string prompt;
  for (const std::string& word : flags.prompt) prompt += prompt.empty() ? word : " " + word;
  if (prompt == "-" || prompt.empty()) {
    prompt.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
  }
  return prompt;
}

/// Prints text as it streams in, or gathers it for --json.
class AnswerPrinter {
 public:
  explicit AnswerPrinter(bool quiet) : quiet_(quiet) {}

  Result<> take(std::string_view bytes) {
    if (Result<> fed = sse_.feed(bytes); !fed) return fed;
    while (std::optional<http::SseEvent> event = sse_.next()) {
      std::vector<chat::ChatEvent> events;
      if (Result<> read = reader_.read(event->data, events); !read) return read;
      for (const chat::ChatEvent& each : events) print(each);
    }
    return {};
  }

  const chat::AnswerParts& answer() const { return answer_; }

 private:
  void print(const chat::ChatEvent& event) {
    chat::accumulate(answer_, event);
    const auto* text = std::get_if<chat::TextDelta>(&event);
    if (quiet_ || text == nullptr) return;
    fmt::print("{}", text->text);
    std::fflush(stdout);
  }

  bool quiet_;
  http::SseReader sse_;
  protocol::openai::StreamReader reader_;
  chat::AnswerParts answer_;
};

int ask(const Context& context, const AskFlags& flags) {
  const std::string prompt = prompt_of(flags);
  if (prompt.empty()) {
    return report_error(
        {.code = ErrorCode::kInvalidArgument,
         .message = "nothing to ask",
         .hint = "give the question as arguments or on standard input: minimill ask 'Say hello'",
         .field = {},
         .retry_after = {}});
  }
  Result<config::Config> config = context.config();
  if (!config) return report_error(config.error());
  Result<Session> session = Session::open(context, std::move(*config), {});
  if (!session) return report_error(session.error());

  json::object body{{"model", flags.model},
                    {"messages", json::array{{{"role", "user"}, {"content", prompt}}}},
                    {"stream", true},
                    {"stream_options", {{"include_usage", true}}}};
  if (flags.max_tokens > 0) body["max_tokens"] = flags.max_tokens;
  http::Headers headers{{"user-agent", "minimill-ask"}};
  if (flags.local_only) headers.add("x-minimill-privacy", "local-only");

  AnswerPrinter printer(flags.as_json);
  Result<ApiClient::Answered> answered =
      session->api().stream("/v1/chat/completions", body, std::move(headers),
                            [&printer](std::string_view bytes) { return printer.take(bytes); });
  if (!answered) return report_error(answered.error());
  const http::Headers& said = answered->headers;
  const chat::AnswerParts& answer = printer.answer();
  if (flags.as_json) {
    const json::object shown{{"text", answer.text},
                             {"lane", said.get("x-minimill-lane")},
                             {"model", said.get("x-minimill-model")},
                             {"request", said.get("x-minimill-request-id")},
                             {"prompt_tokens", answer.usage.prompt_tokens},
                             {"completion_tokens", answer.usage.completion_tokens}};
    fmt::print("{}\n", json::serialize(shown));
    return kExitOk;
  }
  fmt::print("\n");
  const std::string by =
      fmt::format("{} lane, {}; why: minimill why {}", said.get("x-minimill-lane"),
                  said.get("x-minimill-model"), said.get("x-minimill-request-id"));
  fmt::print(stderr, "{}\n", colored(stderr, Color::kDim, by));
  return kExitOk;
}

}  // namespace

void add_ask(CLI::App& app, Context& context) {
  auto flags = std::make_shared<AskFlags>();
  CLI::App* command = app.add_subcommand("ask", "Ask one question and print the answer");
  command->add_option("prompt", flags->prompt, "The question; '-' or nothing: standard input");
  command->add_option("-m,--model", flags->model,
                      "auto, local, cloud, or a model's name (minimill models)");
  command->add_flag("--local-only", flags->local_only, "Never let it leave this machine");
  command->add_option("--max-tokens", flags->max_tokens, "Longest answer, in tokens")
      ->check(CLI::Range(1, 1 << 20));
  command->add_flag("--json", flags->as_json, "Print the answer and who gave it as JSON");
  command->footer(
      "Examples:\n"
      "  minimill ask 'What is the capital of France?'\n"
      "  git diff | minimill ask --local-only 'Summarise this change:' -");
  command->callback(
      [&context, flags] { context.chosen = [&context, flags] { return ask(context, *flags); }; });
}

}  // namespace minimill::cli
