#pragma once

// Typed access to a TOML table that notices what nobody asked for: after finish() a key that was
// not read is an error with its line and the nearest known key. The first error is kept.

#include <toml++/toml.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace minimill::settings {

struct TomlErrors {
  std::optional<Error> first;
};

class TomlReader {
 public:
  /// `path` is the table's own, "" for the root; `source` names the file. All must outlive the
  /// reader.
  TomlReader(const toml::table& table, std::string path, std::string source, TomlErrors& errors);

  bool has(std::string_view key);
  std::string required_string(std::string_view key);
  std::string string(std::string_view key, std::string_view otherwise);
  int integer(std::string_view key, int otherwise, int min, int max);
  double number(std::string_view key, double otherwise, double min, double max);
  bool boolean(std::string_view key, bool otherwise);
  /// An array of strings, or one string; empty where absent.
  std::vector<std::string> strings(std::string_view key);
  /// [key]: an empty table where absent.
  TomlReader table(std::string_view key);
  /// [[key]]
  std::vector<TomlReader> tables(std::string_view key);
  /// [key.name] for every name.
  std::vector<std::pair<std::string, TomlReader>> named_tables(std::string_view key);

  void reject(std::string_view key, std::string message, std::string hint);
  void finish();

 private:
  const toml::node* find(std::string_view key);
  std::string path_of(std::string_view key) const;

  const toml::table* table_;
  std::string path_;
  std::string source_;
  TomlErrors* errors_;
  std::vector<std::string> known_;
};

}  // namespace minimill::settings
