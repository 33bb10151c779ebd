#include "protocol/forced_call.h"

#include <utility>

#include "base/json.h"
#include "base/sha256.h"

namespace minimill::protocol {
namespace {

constexpr std::size_t kIdDigits = 16;

json::object schema_of(const chat::Tool& tool, json::object& definitions) {
  json::object arguments = tool.parameters;
  if (!arguments.contains("type")) arguments["type"] = "object";
  // References are from the document's root on, which is no longer here.
  for (const char* key : {"$defs", "definitions"}) {
    json::value* own = arguments.if_contains(key);
    if (own == nullptr || !own->is_object()) continue;
    json::value& shared = definitions[key];
    if (!shared.is_object()) shared.emplace_object();
    for (const auto& [name, schema] : own->get_object()) shared.get_object()[name] = schema;
    arguments.erase(key);
  }
  return {{"type", "object"},
          {"properties",
           {{"name", {{"type", "string"}, {"enum", json::array{tool.name}}}},
            {"arguments", std::move(arguments)}}},
          {"required", {"name", "arguments"}},
          {"additionalProperties", false}};
}

}  // namespace

bool demands_call(const chat::ChatRequest& request) {
  const bool demands = request.tool_choice() == chat::ToolChoice::kRequired ||
                       request.tool_choice() == chat::ToolChoice::kNamed;
  return demands && !request.tools().empty();
}

chat::ChatRequest call_as_json(chat::ChatRequest request) {
  json::object definitions;
  json::array choices;
  for (const chat::Tool& tool : request.tools()) {
    const bool named = request.tool_choice() == chat::ToolChoice::kNamed;
    if (named && tool.name != request.tool_name()) continue;
    choices.push_back(schema_of(tool, definitions));
  }
  json::object schema =
      choices.size() == 1 ? choices.front().as_object() : json::object{{"anyOf", choices}};
  for (auto& [key, value] : definitions) schema[key] = value;
  request.edit([&schema](chat::RequestParts& parts) {
    parts.response_format = chat::ResponseFormat::kJsonSchema;
    parts.json_schema = {{"name", "call"}, {"schema", std::move(schema)}};
    parts.tool_choice = chat::ToolChoice::kNone;
  });
  return request;
}

void take_call(chat::ChatAnswer& answer) {
  const Result<json::object> call = parse_json_object(answer.text());
  if (!call) return;
  const json::value* name = call->if_contains("name");
  const json::value* arguments = call->if_contains("arguments");
  if (name == nullptr || !name->is_string() || arguments == nullptr) return;
  chat::ToolCall taken{
      .id = {}, .name = std::string(name->get_string()), .arguments = json::serialize(*arguments)};
  const chat::OriginalAnswer* original = answer.untouched();
  const std::string seen = original == nullptr ? std::string() : original->body;
  taken.id = "call_" + sha256_hex(seen + answer.text()).substr(0, kIdDigits);
  answer.edit([&taken](chat::AnswerParts& parts) {
    parts.tool_calls.push_back(std::move(taken));
    parts.text.clear();
    parts.logprobs.clear();
    parts.finish = chat::FinishReason::kToolCalls;
  });
}

}  // namespace minimill::protocol
