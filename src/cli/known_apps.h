#pragma once

// The apps that are known to work through minimill, and what each needs: the one list that
// `minimill env`, `minimill launch`, docs/apps.md and `make test-apps` read.
//
// An app needs variables, arguments, a file, or lines in a program. In all texts {url} stands for
// minimill's address ("http://127.0.0.1:4177"), {key} for an app's key, {model} for the model asked
// for, {folder} for a folder of minimill's own that is this app's.

#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace minimill::cli {

struct AppVariable {
  std::string_view name;
  std::string_view value;
};

struct AppFile {
  std::string_view name;  // in {folder}
  std::string_view text;
};

struct KnownApp {
  std::string_view name;          // as `minimill env NAME` takes it
  std::string_view title;         // as its makers call it
  std::string_view program = {};  // what is started; empty: a library or a page, nothing to start
  std::string_view install;       // the command that gets it
  std::vector<AppVariable> variables = {};
  std::vector<std::string_view> unset = {};      // variables that would send it elsewhere
  std::vector<std::string_view> arguments = {};  // before the user's own
  std::vector<AppFile> files = {};
  std::string_view code = {};  // of a library: the lines in a program; of a page: what to enter
  std::string_view note = {};  // what else is worth knowing; may be empty
};

std::span<const KnownApp> known_apps();

/// kNotFound lists those that are known.
Result<const KnownApp*> find_known_app(std::string_view name);

/// What most libraries and many apps read; for the rest there is their entry in the list.
std::span<const AppVariable> common_variables();

}  // namespace minimill::cli
