#include "settings/toml_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace minimill::settings {
namespace {

const toml::table kEmpty;

/// Levenshtein distance, for "did you mean".
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

}  // namespace

TomlReader::TomlReader(const toml::table& table, std::string path, std::string source,
                       TomlErrors& errors)
    : table_(&table), path_(std::move(path)), source_(std::move(source)), errors_(&errors) {}

std::string TomlReader::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

void TomlReader::reject(std::string_view key, std::string message, std::string hint) {
  if (errors_->first) return;
  const toml::node* node = table_->get(key);
  const auto line = (node == nullptr ? table_->source() : node->source()).begin.line;
  const std::string where = line > 0 ? fmt::format("{}:{}", source_, line) : source_;
  errors_->first = fail_field(path_of(key), fmt::format("{}: {}: {}", where, path_of(key), message),
                              std::move(hint))
                       .error();
}

const toml::node* TomlReader::find(std::string_view key) {
  known_.emplace_back(key);
  return table_->get(key);
}

bool TomlReader::has(std::string_view key) { return find(key) != nullptr; }

std::string TomlReader::required_string(std::string_view key) {
  std::string text = string(key, "");
  if (text.empty()) reject(key, "is missing", "every such table needs one");
  return text;
}

std::string TomlReader::string(std::string_view key, std::string_view otherwise) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::string(otherwise);
  const auto value = node->value_exact<std::string>();
  if (!value) reject(key, "must be a string in quotes", "");
  return value.value_or(std::string(otherwise));
}

int TomlReader::integer(std::string_view key, int otherwise, int min, int max) {
  const toml::node* node = find(key);
  if (node == nullptr) return otherwise;
  const auto value = node->value_exact<std::int64_t>();
  if (!value || *value < min || *value > max) {
    reject(key, fmt::format("must be a whole number between {} and {}", min, max), "");
    return otherwise;
  }
  return static_cast<int>(*value);
}

double TomlReader::number(std::string_view key, double otherwise, double min, double max) {
  const toml::node* node = find(key);
  if (node == nullptr) return otherwise;
  const auto value = node->is_number() ? node->value<double>() : std::nullopt;
  if (!value || !(*value >= min && *value <= max)) {
    reject(key, fmt::format("must be a number between {} and {}", min, max), "");
    return otherwise;
  }
  return *value;
}

bool TomlReader::boolean(std::string_view key, bool otherwise) {
  const toml::node* node = find(key);
  if (node == nullptr) return otherwise;
  const auto value = node->value_exact<bool>();
  if (!value) reject(key, "must be true or false", "");
  return value.value_or(otherwise);
}

std::vector<std::string> TomlReader::strings(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return {};
  if (const auto one = node->value_exact<std::string>()) return {*one};
  std::vector<std::string> texts;
  const toml::array* array = node->as_array();
  bool good = array != nullptr;
  if (good) {
    for (const toml::node& element : *array) {
      const auto text = element.value_exact<std::string>();
      good = good && text.has_value();
      if (text) texts.push_back(*text);
    }
  }
  if (!good) reject(key, "must be a list of strings", "");
  return texts;
}

TomlReader TomlReader::table(std::string_view key) {
  const toml::node* node = find(key);
  const toml::table* found = node == nullptr ? &kEmpty : node->as_table();
  if (found == nullptr) reject(key, fmt::format("must be a table: [{}]", path_of(key)), "");
  return {found == nullptr ? kEmpty : *found, path_of(key), source_, *errors_};
}

std::vector<TomlReader> TomlReader::tables(std::string_view key) {
  std::vector<TomlReader> readers;
  const toml::node* node = find(key);
  if (node == nullptr) return readers;
  const toml::array* array = node->as_array();
  if (array == nullptr || !array->is_homogeneous<toml::table>()) {
    reject(key, fmt::format("must be a list of tables: [[{}]]", path_of(key)), "");
    return readers;
  }
  for (const toml::node& element : *array) {
    readers.emplace_back(*element.as_table(), path_of(key), source_, *errors_);
  }
  return readers;
}

std::vector<std::pair<std::string, TomlReader>> TomlReader::named_tables(std::string_view key) {
  std::vector<std::pair<std::string, TomlReader>> readers;
  const toml::node* node = find(key);
  if (node == nullptr) return readers;
  const toml::table* outer = node->as_table();
  if (outer == nullptr) {
    reject(key, fmt::format("must be tables: [{}.\"name\"]", path_of(key)), "");
    return readers;
  }
  for (const auto& [name, element] : *outer) {
    const toml::table* inner = element.as_table();
    const std::string inner_path = fmt::format("{}.{}", path_of(key), name.str());
    if (inner == nullptr) {
      reject(key, fmt::format("{} must be a table", inner_path), "");
      continue;
    }
    readers.emplace_back(std::string(name.str()),
                         TomlReader(*inner, inner_path, source_, *errors_));
  }
  return readers;
}

void TomlReader::finish() {
  constexpr std::size_t kNearEnough = 3;
  for (const auto& [name, node] : *table_) {
    const std::string_view key = name.str();
    if (std::ranges::find(known_, key) != known_.end()) continue;
    const auto nearest = std::ranges::min_element(
        known_, {}, [key](const std::string& known) { return distance(key, known); });
    const bool near = nearest != known_.end() && distance(key, *nearest) <= kNearEnough;
    reject(key, "unknown key",
           near ? fmt::format("did you mean '{}'?", *nearest)
                : "docs/configuration.md lists the keys there are");
  }
}

}  // namespace minimill::settings
