#include <utility>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/anthropic_fields.h"
#include "protocol/garbage.h"

namespace minimill::protocol::anthropic {

Result<chat::ChatAnswer> parse_answer(std::string body) {
  const Result<json::object> parsed = parse_json_object(body);
  const json::value* content = parsed ? parsed->if_contains("content") : nullptr;
  if (content == nullptr || !content->is_array()) return garbage("a message", body);
  chat::ChatAnswer answer;
  for (const json::value& each : content->get_array()) {
    const json::object* block = each.if_object();
    if (block == nullptr) return garbage("a message", body);
    const std::string type = text_in(*block, "type");
    if (type == "text") answer.text += text_in(*block, "text");
    if (type == "thinking") answer.reasoning += text_in(*block, "thinking");
    if (type == "tool_use") {
      const json::object* input = object_in(*block, "input");
      answer.tool_calls.push_back({.id = text_in(*block, "id"),
                                   .name = text_in(*block, "name"),
                                   .arguments = input == nullptr ? "{}" : json::serialize(*input)});
    }
  }
  answer.model = text_in(*parsed, "model");
  answer.finish = finish_reason(text_in(*parsed, "stop_reason"));
  if (const json::object* usage = object_in(*parsed, "usage")) add_usage(*usage, answer.usage);
  answer.protocol = chat::Protocol::kAnthropic;
  answer.body = std::move(body);
  return answer;
}

std::string write_answer(const chat::ChatAnswer& answer, std::string_view id) {
  if (answer.protocol == chat::Protocol::kAnthropic && !answer.body.empty()) return answer.body;
  json::array content;
  if (!answer.text.empty()) content.push_back({{"type", "text"}, {"text", answer.text}});
  for (const chat::ToolCall& call : answer.tool_calls) {
    Result<json::object> input = parse_json_object(call.arguments);
    content.push_back({{"type", "tool_use"},
                       {"id", call.id},
                       {"name", call.name},
                       {"input", input ? std::move(*input) : json::object{}}});
  }
  return json::serialize(json::object{{"id", id},
                                      {"type", "message"},
                                      {"role", "assistant"},
                                      {"model", answer.model},
                                      {"content", std::move(content)},
                                      {"stop_reason", stop_reason(answer.finish)},
                                      {"stop_sequence", nullptr},
                                      {"usage", usage_json(answer.usage)}});
}

}  // namespace minimill::protocol::anthropic
