#pragma once

// What one known app is started with: its entry in the list (known_apps.h) with this machine's
// address, a key and a model filled in.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"
#include "cli/command.h"
#include "cli/known_apps.h"

namespace minimill::cli {

/// What stands for {url}, {key}, {model} and {folder}.
struct AppValues {
  std::string url;
  std::string key;
  std::string model;
  std::string folder;
};

struct AppSetupFlags {
  std::string app;
  std::string url;  // empty: the running daemon's, else the configured
  std::string key = "unused";
  std::string model = "auto";
  std::vector<std::string> arguments;
  bool as_json = false;
};

/// --url, --key and --model, which env and launch share.
void add_setup_options(CLI::App& command, AppSetupFlags& flags);

struct FoundValues {
  AppValues values;
  bool running = false;  // a daemon answers there, or the address was given
};

/// kInvalidArgument where the key or the model would not stand unquoted in every form of file.
Result<FoundValues> find_values(const Context& context, const AppSetupFlags& flags);

struct AppSetup {
  std::vector<std::pair<std::string, std::string>> variables;
  std::vector<std::string> unset;
  std::vector<std::string> arguments;
  std::vector<std::pair<std::filesystem::path, std::string>> files;
  std::string code;
};

AppSetup set_up(const KnownApp& app, AppValues values);
/// The variables that most apps read.
AppSetup common_setup(const AppValues& values);

/// Lines that a POSIX shell can evaluate; what is for people stands in comments.
std::string shell_lines(const AppSetup& setup);
/// The text as one word of a POSIX shell.
std::string shell_word(std::string_view text);

}  // namespace minimill::cli
