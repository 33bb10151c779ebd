#include <fmt/format.h>

#include <utility>

#include "base/json.h"
#include "protocol/garbage.h"
#include "protocol/openai.h"
#include "protocol/openai_fields.h"

namespace minimill::protocol::openai {
namespace {

std::string text_of(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string{};
}

void read_tool_calls(const json::object& message, chat::ChatAnswer& answer) {
  const json::value* calls = message.if_contains("tool_calls");
  if (calls == nullptr || !calls->is_array()) return;
  for (const json::value& each : calls->get_array()) {
    const json::object* call = each.if_object();
    const json::value* function = call == nullptr ? nullptr : call->if_contains("function");
    if (function == nullptr || !function->is_object()) continue;
    answer.tool_calls.push_back({.id = text_of(*call, "id"),
                                 .name = text_of(function->get_object(), "name"),
                                 .arguments = text_of(function->get_object(), "arguments")});
  }
}

}  // namespace

Result<chat::ChatAnswer> parse_answer(std::string body) {
  const Result<json::object> parsed = parse_json_object(body);
  if (!parsed) return garbage("a chat completion", body);
  const json::value* choices = parsed->if_contains("choices");
  const json::value* choice = choices != nullptr && choices->is_array() && !choices->get_array().empty()
                                  ? &choices->get_array().front()
                                  : nullptr;
  const json::value* message = choice != nullptr && choice->is_object()
                                   ? choice->get_object().if_contains("message")
                                   : nullptr;
  if (message == nullptr || !message->is_object()) return garbage("a chat completion", body);

  chat::ChatAnswer answer;
  const json::object& said = message->get_object();
  answer.model = text_of(*parsed, "model");
  answer.text = text_of(said, "content");
  answer.reasoning = text_of(said, "reasoning_content");
  if (answer.reasoning.empty()) answer.reasoning = text_of(said, "reasoning");
  read_tool_calls(said, answer);
  answer.finish = finish_reason(text_of(choice->get_object(), "finish_reason"));
  if (const json::value* usage = parsed->if_contains("usage"); usage != nullptr && usage->is_object()) {
    answer.usage = usage_of(usage->get_object());
  }
  answer.protocol = chat::Protocol::kOpenAi;
  answer.body = std::move(body);
  return answer;
}

std::string write_answer(const chat::ChatAnswer& answer, std::string_view id,
                         std::int64_t created_s) {
  if (answer.protocol == chat::Protocol::kOpenAi && !answer.body.empty()) return answer.body;
  json::object message{{"role", "assistant"}, {"content", answer.text}};
  if (!answer.reasoning.empty()) message["reasoning_content"] = answer.reasoning;
  if (!answer.tool_calls.empty()) {
    json::array calls;
    for (const chat::ToolCall& call : answer.tool_calls) {
      calls.push_back({{"id", call.id},
                       {"type", "function"},
                       {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    }
    message["tool_calls"] = std::move(calls);
    if (answer.text.empty()) message["content"] = nullptr;
  }
  const json::object written{
      {"id", id},
      {"object", "chat.completion"},
      {"created", created_s},
      {"model", answer.model},
      {"choices",
       json::array{{{"index", 0},
                    {"message", std::move(message)},
                    {"finish_reason", finish_name(answer.finish)}}}},
      {"usage", usage_json(answer.usage)}};
  return json::serialize(written);
}

std::string write_models(const std::vector<ModelEntry>& models) {
  json::array data;
  for (const ModelEntry& model : models) {
    data.push_back({{"id", model.id},
                    {"object", "model"},
                    {"created", model.created_s},
                    {"owned_by", model.owned_by}});
  }
  return json::serialize(json::object{{"object", "list"}, {"data", std::move(data)}});
}

}  // namespace minimill::protocol::openai
