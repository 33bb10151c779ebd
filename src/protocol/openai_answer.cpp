#include <fmt/format.h>

#include <utility>

#include "base/json.h"
#include "protocol/answer_fields.h"
#include "protocol/function_tools.h"
#include "protocol/openai.h"
#include "protocol/openai_fields.h"
#include "protocol/upstream_text.h"

namespace minimill::protocol::openai {
namespace {

Result<> read_tool_calls(const json::array& calls, chat::AnswerParts& answer) {
  if (calls.size() > static_cast<std::size_t>(kMaxToolCalls)) {
    return fail(ErrorCode::kUpstream, fmt::format("an answer with {} tool calls", calls.size()));
  }
  for (const json::value& each : calls) {
    const json::object* call = each.if_object();
    const json::object* function = call == nullptr ? nullptr : object_in(*call, "function");
    const json::object* custom = call == nullptr ? nullptr : object_in(*call, "custom");
    if (custom != nullptr) {
      answer.tool_calls.push_back({.id = std::string(text_in(*call, "id")),
                                   .name = std::string(text_in(*custom, "name")),
                                   .arguments = free_text_arguments(text_in(*custom, "input"))});
      continue;
    }
    if (function == nullptr) {
      return fail(ErrorCode::kUpstream, "an answer with a tool call that names no function");
    }
    answer.tool_calls.push_back({.id = std::string(text_in(*call, "id")),
                                 .name = std::string(text_in(*function, "name")),
                                 .arguments = arguments_in(*function, "arguments")});
  }
  return {};
}

/// choices[0], where that is an object with a message.
const json::object* first_choice(const json::object& body) {
  const json::array* choices = array_in(body, "choices");
  if (choices == nullptr || choices->empty()) return nullptr;
  const json::object* choice = choices->front().if_object();
  return choice != nullptr && object_in(*choice, "message") != nullptr ? choice : nullptr;
}

bool is_text_or_null(const json::value* value) {
  return value == nullptr || value->is_null() || value->is_string();
}

json::object message_json(const chat::AnswerParts& answer) {
  json::object message{{"role", "assistant"}, {"content", answer.text}};
  if (!answer.reasoning.empty()) message["reasoning_content"] = answer.reasoning;
  if (answer.tool_calls.empty()) return message;
  json::array calls;
  for (const chat::ToolCall& call : answer.tool_calls) {
    calls.push_back({{"id", call.id},
                     {"type", "function"},
                     {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
  }
  message["tool_calls"] = std::move(calls);
  if (answer.text.empty()) message["content"] = nullptr;
  return message;
}

json::object model_object(const ModelEntry& model) {
  return {{"id", model.id},
          {"object", "model"},
          {"created", model.created_s},
          {"owned_by", model.owned_by}};
}

}  // namespace

Result<chat::ChatAnswer> parse_answer(std::string body) {
  const Result<json::object> parsed = parse_provider_object(body);
  if (!parsed) return garbage("a chat completion", body);
  const json::object* choice = first_choice(*parsed);
  if (choice == nullptr) {
    const std::string said = error_message(*parsed);
    if (said.empty()) return garbage("a chat completion", body);
    return fail(ErrorCode::kUpstream, fmt::format("an error instead of an answer: {}", said));
  }
  const json::object& message = *object_in(*choice, "message");
  if (!is_text_or_null(message.if_contains("content"))) return garbage("a chat completion", body);

  chat::AnswerParts answer;
  answer.model = text_in(*parsed, "model");
  answer.text = text_in(message, "content");
  answer.reasoning = reasoning_in(message);
  if (const json::array* calls = array_in(message, "tool_calls")) {
    Result<> read = read_tool_calls(*calls, answer);
    if (!read) return std::unexpected(std::move(read.error()));
    for (std::size_t i = 0; i < answer.tool_calls.size(); ++i) {
      std::string& id = answer.tool_calls[i].id;
      if (id.empty()) id = made_call_id(body, i);
    }
  }
  answer.logprobs = logprobs_in(*choice);
  answer.finish = finish_reason(text_in(*choice, "finish_reason"), !answer.tool_calls.empty());
  if (const json::object* usage = object_in(*parsed, "usage")) answer.usage = usage_of(*usage);
  return chat::ChatAnswer(std::move(answer),
                          {.protocol = chat::Protocol::kOpenAi, .body = std::move(body)});
}

std::string write_answer(const chat::ChatAnswer& answer, std::string_view id,
                         std::int64_t created_s) {
  return write_answers({answer}, id, created_s);
}

std::string write_answers(const std::vector<chat::ChatAnswer>& answers, std::string_view id,
                          std::int64_t created_s) {
  const chat::ChatAnswer& first = answers.front();
  const chat::OriginalAnswer* untouched = first.untouched();
  if (untouched != nullptr && untouched->protocol == chat::Protocol::kOpenAi &&
      answers.size() == 1) {
    return untouched->body;
  }
  json::array choices;
  chat::Usage usage;
  for (const chat::ChatAnswer& answer : answers) {
    json::object choice{{"index", choices.size()},
                        {"message", message_json(answer.parts())},
                        {"logprobs", nullptr},
                        {"finish_reason", finish_name(answer.finish())}};
    if (!answer.logprobs().empty()) choice["logprobs"] = logprobs_json(answer.logprobs());
    choices.push_back(std::move(choice));
    usage += answer.usage();
  }
  return json::serialize(json::object{{"id", id},
                                      {"object", "chat.completion"},
                                      {"created", created_s},
                                      {"model", first.model()},
                                      {"choices", std::move(choices)},
                                      {"usage", usage_json(usage)}});
}

std::string write_model(const ModelEntry& model) { return json::serialize(model_object(model)); }

std::string write_models(const std::vector<ModelEntry>& models) {
  json::array data;
  for (const ModelEntry& model : models) data.push_back(model_object(model));
  return json::serialize(json::object{{"object", "list"}, {"data", std::move(data)}});
}

}  // namespace minimill::protocol::openai
