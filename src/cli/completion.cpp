#include <fmt/format.h>

#include <algorithm>

#include "cli/command.h"

namespace minimill::cli {
namespace {

/// What may follow a command: its subcommands and its long options.
std::vector<std::string> words_after(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    words.push_back(sub->get_name());
  }
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  }
  std::ranges::sort(words);
  return words;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

/// (path, words): ("", all commands), ("task", its actions), ("task add", its options), …
void collect(const CLI::App& app, const std::string& path,
             std::vector<std::pair<std::string, std::string>>& out) {
  out.emplace_back(path, joined(words_after(app)));
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    collect(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), out);
  }
}

std::string bash_script(const CLI::App& app) {
  std::vector<std::pair<std::string, std::string>> words;
  collect(app, "", words);
  std::string cases;
  for (const auto& [path, choices] : words) {
    cases += fmt::format("    '{}') words='{}' ;;\n", path, choices);
  }
  return fmt::format(R"(_minimill() {{
  local path='' word words=''
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case $word in -*) ;; *) if _minimill_words "${{path:+$path }}$word" >/dev/null; then path="${{path:+$path }}$word"; fi ;; esac
  done
  words=$(_minimill_words "$path")
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
  [ ${{#COMPREPLY[@]}} -gt 0 ] || COMPREPLY=($(compgen -f -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
_minimill_words() {{
  local words
  case $1 in
{}    *) return 1 ;;
  esac
  echo "$words"
}}
complete -o filenames -F _minimill minimill
)",
                     cases);
}

std::string fish_script(const CLI::App& app) {
  std::string script = "complete -c minimill -f\n";
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    script += fmt::format("complete -c minimill -n __fish_use_subcommand -a {} -d '{}'\n",
                          sub->get_name(), sub->get_description());
    for (const std::string& word : words_after(*sub)) {
      const bool option = word.starts_with("--");
      script += fmt::format("complete -c minimill -n '__fish_seen_subcommand_from {}' {} {}\n",
                            sub->get_name(), option ? "-l" : "-a", option ? word.substr(2) : word);
    }
  }
  return script;
}

int completion(const CLI::App& app, const std::string& shell) {
  if (shell == "fish") {
    fmt::print("{}", fish_script(app));
  } else {
    if (shell == "zsh") fmt::print("autoload -U +X bashcompinit && bashcompinit\n");
    fmt::print("{}", bash_script(app));
  }
  return kExitOk;
}

}  // namespace

void add_completion(CLI::App& app, Context& context) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("completion", "Print the shell's tab completion");
  command->add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer(
      "Examples:\n"
      "  source <(minimill completion bash)\n"
      "  minimill completion fish > ~/.config/fish/completions/minimill.fish");
  command->callback([&app, &context, shell] {
    context.chosen = [&app, shell] { return completion(app, *shell); };
  });
}

}  // namespace minimill::cli
