#include "data.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "base/json.h"

namespace minimill::bench {
namespace {

std::unexpected<Error> absent(const std::string& path) {
  return fail(ErrorCode::kNotFound, fmt::format("{} is not there", path),
              "set MINIMILL_DATA to the folder with the shared data");
}

Result<std::vector<Utterance>> read_list(const json::object& object, std::string_view key) {
  std::vector<Utterance> list;
  const json::value* listed = object.if_contains(key);
  if (listed == nullptr || !listed->is_array()) {
    return fail(ErrorCode::kCorrupt, fmt::format("no list '{}'", key));
  }
  for (const json::value& each : listed->get_array()) {
    const json::array& pair = each.as_array();
    Utterance utterance;
    utterance.input.text = pair.at(0).as_string();
    utterance.intent = pair.at(1).as_string();
    list.push_back(std::move(utterance));
  }
  return list;
}

}  // namespace

Result<std::vector<RoutedPrompt>> read_prompts(const std::string& folder) {
  const std::string path = folder + "/routing/mixtral-vs-gpt4.jsonl";
  std::ifstream in(path);
  if (!in) return absent(path);
  std::vector<RoutedPrompt> prompts;
  std::string line;
  while (std::getline(in, line)) {
    Result<json::object> object = parse_json_object(line);
    if (!object) return std::unexpected(std::move(object.error()).context(path));
    Fields fields(*object);
    RoutedPrompt prompt;
    prompt.input.text = fields.required_string("prompt");
    prompt.input.model = "mixtral-8x7b";
    prompt.set = fields.required_string("set");
    prompt.domain = route::operation_slug(fields.required_string("domain"));
    prompt.weak_ok = fields.bool_or("weak_ok", false);
    prompt.strong_ok = fields.bool_or("strong_ok", false);
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

Result<Intents> read_intents(const std::string& folder) {
  const std::string path = folder + "/intents/clinc150.json";
  std::ifstream in(path);
  if (!in) return absent(path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  Result<json::object> object = parse_json_object(text);
  if (!object) return std::unexpected(std::move(object.error()).context(path));
  Intents intents;
  const auto take = [&object](std::vector<Utterance>& into, std::string_view key) -> Result<> {
    Result<std::vector<Utterance>> list = read_list(*object, key);
    if (!list) return std::unexpected(std::move(list.error()));
    into = std::move(*list);
    return {};
  };
  for (const auto& [into, key] :
       {std::pair{&intents.train, "train"}, std::pair{&intents.val, "val"},
        std::pair{&intents.oos_train, "oos_train"}, std::pair{&intents.oos_val, "oos_val"}}) {
    if (Result<> taken = take(*into, key); !taken) return std::unexpected(taken.error());
  }
  return intents;
}

}  // namespace minimill::bench
