#include <fmt/format.h>

#include <utility>

#include "base/json.h"
#include "protocol/answer_fields.h"
#include "protocol/anthropic.h"
#include "protocol/anthropic_fields.h"
#include "protocol/upstream_text.h"

namespace minimill::protocol::anthropic {
namespace {

/// Blocks of kinds that are not chat's (a provider's own search, say) are read over.
void read_block(const json::object& block, chat::AnswerParts& answer) {
  const std::string_view type = text_in(block, "type");
  if (type == "text") answer.text += text_in(block, "text");
  if (type == "thinking") answer.reasoning += text_in(block, "thinking");
  if (type == "tool_use") {
    const json::object* input = object_in(block, "input");
    answer.tool_calls.push_back({.id = std::string(text_in(block, "id")),
                                 .name = std::string(text_in(block, "name")),
                                 .arguments = input == nullptr ? "{}" : json::serialize(*input)});
  }
}

}  // namespace

Result<chat::ChatAnswer> parse_answer(std::string body) {
  const Result<json::object> parsed = parse_provider_object(body);
  if (!parsed) return garbage("a message", body);
  const json::array* content = array_in(*parsed, "content");
  if (content == nullptr) {
    const std::string said = error_message(*parsed);
    if (said.empty()) return garbage("a message", body);
    return fail(ErrorCode::kUpstream, fmt::format("an error instead of an answer: {}", said));
  }
  chat::AnswerParts answer;
  for (const json::value& each : *content) {
    const json::object* block = each.if_object();
    if (block == nullptr) return garbage("a message", body);
    read_block(*block, answer);
  }
  if (answer.tool_calls.size() > static_cast<std::size_t>(kMaxToolCalls)) {
    return fail(ErrorCode::kUpstream,
                fmt::format("an answer with {} tool calls", answer.tool_calls.size()));
  }
  answer.model = text_in(*parsed, "model");
  answer.finish = finish_reason(text_in(*parsed, "stop_reason"));
  if (const json::object* usage = object_in(*parsed, "usage")) add_usage(*usage, answer.usage);
  return chat::ChatAnswer(std::move(answer),
                          {.protocol = chat::Protocol::kAnthropic, .body = std::move(body)});
}

std::string write_answer(const chat::ChatAnswer& answer, std::string_view id) {
  const chat::OriginalAnswer* untouched = answer.untouched();
  if (untouched != nullptr && untouched->protocol == chat::Protocol::kAnthropic) {
    return untouched->body;
  }
  json::array content;
  if (!answer.reasoning().empty()) {
    content.push_back({{"type", "thinking"}, {"thinking", answer.reasoning()}, {"signature", ""}});
  }
  if (!answer.text().empty()) content.push_back({{"type", "text"}, {"text", answer.text()}});
  for (const chat::ToolCall& call : answer.tool_calls()) {
    content.push_back({{"type", "tool_use"},
                       {"id", call.id},
                       {"name", call.name},
                       {"input", input_json(call.arguments)}});
  }
  return json::serialize(json::object{{"id", id},
                                      {"type", "message"},
                                      {"role", "assistant"},
                                      {"model", answer.model()},
                                      {"content", std::move(content)},
                                      {"stop_reason", stop_reason(answer.finish())},
                                      {"stop_sequence", nullptr},
                                      {"usage", usage_json(answer.usage())}});
}

}  // namespace minimill::protocol::anthropic
