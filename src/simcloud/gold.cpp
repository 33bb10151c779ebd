#include <fmt/format.h>

#include <fstream>
#include <utility>

#include "base/json.h"
#include "simcloud/sample_json.h"
#include "simcloud/sim_cloud.h"

namespace minimill::simcloud {
namespace {

constexpr std::size_t kMaxLineBytes = 1 << 20;

std::string joined(const json::value& value) {
  if (value.is_string()) return std::string(value.get_string());
  std::string text;
  if (const json::array* list = value.if_array()) {
    for (const json::value& each : *list) {
      if (!each.is_string()) continue;
      if (!text.empty()) text += ", ";
      text += each.get_string();
    }
  }
  return text;
}

json::object with_one_field_altered(json::object object) {
  if (object.empty()) return {{"unexpected", true}};
  object.begin()->value() = "something else";
  return object;
}

/// What satisfies a check, and what does not; empty where no answer can be made from it.
GoldAnswer answers_to(const json::object& check) {
  GoldAnswer gold;
  const json::value* type = check.if_contains("type");
  const json::value* value = check.if_contains("value");
  if (type == nullptr || value == nullptr) return gold;
  if (*type == "equals") {
    gold.right = joined(*value);
    gold.wrong = "none of these";
  } else if (*type == "contains") {
    gold.right = joined(*value);
    gold.wrong = "I do not know.";
  } else if (*type == "final_number") {
    const std::string number = value->is_string() ? joined(*value) : json::serialize(*value);
    gold.right = "Answer: " + number;
    gold.wrong = "Answer: " + number + "1";
  } else if (*type == "json_fields" && value->is_object()) {
    gold.right = json::serialize(*value);
    gold.wrong = json::serialize(with_one_field_altered(value->get_object()));
  } else if (*type == "json_schema" && value->is_object()) {
    gold.right = json::serialize(sample_of(*value));
    gold.wrong = "no JSON at all";
  }
  return gold;
}

}  // namespace

Result<std::vector<GoldAnswer>> read_gold(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return fail(ErrorCode::kNotFound, fmt::format("cannot open {}", path));
  std::vector<GoldAnswer> gold;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string where = fmt::format("{}:{}", path, number);
    if (line.size() > kMaxLineBytes) return fail(ErrorCode::kTooLarge, where + ": too long a line");
    Result<json::object> task = parse_json_object(line);
    if (!task) return std::unexpected(std::move(task.error()).context(where));
    Fields fields(*task);
    const json::object* check = fields.optional_object("check");
    if (check == nullptr) continue;
    GoldAnswer answer = answers_to(*check);
    // A pattern has no answer to be derived from; the file's author may give one.
    if (const json::object* label = fields.optional_object("label")) {
      Fields inner(*label, "label.");
      if (std::string example = inner.string_or("answer", ""); !example.empty()) {
        answer.right = std::move(example);
        if (answer.wrong.empty()) answer.wrong = "I do not know.";
      }
    }
    const std::string title = fields.string_or("title", "");
    const std::string notes = fields.string_or("notes", "");
    answer.prompt = notes.empty() ? title : fmt::format("{}\n\n{}", title, notes);
    if (!answer.right.empty() && !answer.prompt.empty()) gold.push_back(std::move(answer));
  }
  return gold;
}

}  // namespace minimill::simcloud
