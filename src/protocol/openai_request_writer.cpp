#include <fmt/format.h>

#include <array>
#include <utility>

#include "base/json.h"
#include "protocol/forced_call.h"
#include "protocol/openai.h"
#include "protocol/passthrough.h"
#include "protocol/translation.h"

namespace minimill::protocol::openai {
namespace {

using chat::ChatRequest;
using chat::Message;
using chat::Role;

std::string_view role_name(Role role) {
  constexpr std::array<std::string_view, 4> kNames{"system", "user", "assistant", "tool"};
  return kNames[static_cast<std::size_t>(role)];
}

json::object part_json(const chat::Part& part) {
  if (const auto* image = std::get_if<chat::Image>(&part)) {
    return {{"type", "image_url"}, {"image_url", {{"url", image->url}}}};
  }
  const auto* text = std::get_if<chat::Text>(&part);
  return {{"type", "text"}, {"text", text == nullptr ? "" : text->text}};
}

void append_message(const Message& message, json::array& out) {
  json::array parts;
  json::array calls;
  bool only_text = true;
  for (const chat::Part& part : message.parts) {
    if (const auto* result = std::get_if<chat::ToolResult>(&part)) {
      out.push_back(
          {{"role", "tool"}, {"tool_call_id", result->call_id}, {"content", result->text}});
    } else if (const auto* call = std::get_if<chat::ToolCall>(&part)) {
      calls.push_back({{"id", call->id},
                       {"type", "function"},
                       {"function", {{"name", call->name}, {"arguments", call->arguments}}}});
    } else {
      only_text = only_text && std::holds_alternative<chat::Text>(part);
      parts.push_back(part_json(part));
    }
  }
  if (parts.empty() && calls.empty()) return;
  json::object written{{"role", role_name(message.role)}};
  if (only_text) {
    written["content"] = parts.empty() ? json::value(nullptr) : json::value(message.text());
  } else {
    written["content"] = std::move(parts);
  }
  if (!calls.empty()) written["tool_calls"] = std::move(calls);
  out.push_back(std::move(written));
}

void write_tools(const ChatRequest& request, json::object& body) {
  if (request.tools.empty()) return;
  json::array tools;
  for (const chat::Tool& tool : request.tools) {
    tools.push_back({{"type", "function"},
                     {"function",
                      {{"name", tool.name},
                       {"description", tool.description},
                       {"parameters", tool.parameters}}}});
  }
  body["tools"] = std::move(tools);
  switch (request.tool_choice) {
    case chat::ToolChoice::kAuto:
      break;
    case chat::ToolChoice::kNone:
      body["tool_choice"] = "none";
      break;
    case chat::ToolChoice::kRequired:
      body["tool_choice"] = "required";
      break;
    case chat::ToolChoice::kNamed:
      body["tool_choice"] = {{"type", "function"}, {"function", {{"name", request.tool_name}}}};
      break;
  }
}

void write_sampling(const chat::Sampling& sampling, json::object& body) {
  if (sampling.presence_penalty) body["presence_penalty"] = *sampling.presence_penalty;
  if (sampling.frequency_penalty) body["frequency_penalty"] = *sampling.frequency_penalty;
  if (sampling.temperature) body["temperature"] = *sampling.temperature;
  if (sampling.top_p) body["top_p"] = *sampling.top_p;
  if (sampling.max_tokens) body["max_tokens"] = *sampling.max_tokens;
  if (sampling.seed) body["seed"] = *sampling.seed;
  if (!sampling.stop.empty()) {
    json::array stop(sampling.stop.begin(), sampling.stop.end());
    body["stop"] = std::move(stop);
  }
}

void write_wishes(const ChatRequest& request, Target target, json::object& body) {
  if (target == Target::kLlamaServer) {
    if (request.sampling.top_k) body["top_k"] = *request.sampling.top_k;
    if (request.sampling.min_p) body["min_p"] = *request.sampling.min_p;
    if (request.sampling.repeat_penalty) body["repeat_penalty"] = *request.sampling.repeat_penalty;
  } else if (request.choices > 1) {
    body["n"] = request.choices;
  }
  if (request.logprobs) body["logprobs"] = true;
  if (request.top_logprobs > 0) body["top_logprobs"] = request.top_logprobs;
  if (request.parallel_tool_calls && !request.tools.empty()) {
    body["parallel_tool_calls"] = *request.parallel_tool_calls;
  }
  if (!request.reasoning_effort.empty()) body["reasoning_effort"] = request.reasoning_effort;
  if (!request.logit_bias.empty()) body["logit_bias"] = request.logit_bias;
}

/// What OpenAI takes as it is from the apps of its other APIs: {"user": …}, {"text": {"verbosity":
/// …}}.
void write_passed(const ChatRequest& request, json::object& body) {
  for (const FieldRule& rule : field_rules()) {
    const std::string_view ours = rule.names.front();
    const std::string_view theirs = rule.names[static_cast<std::size_t>(request.protocol)];
    const bool passes =
        rule.by_target[static_cast<std::size_t>(Target::kOpenAi)] == Treatment::kPassed;
    if (!passes || ours.empty() || theirs.empty()) continue;
    const json::value* value = field_at(request.body, theirs);
    if (value != nullptr && !value->is_null()) body[ours] = *value;
  }
}

std::string write_from_parts(const ChatRequest& request, std::string_view model, bool stream,
                             Target target) {
  json::object body{{"model", model}};
  json::array messages;
  for (const Message& message : request.messages) append_message(message, messages);
  body["messages"] = std::move(messages);
  write_tools(request, body);
  write_sampling(request.sampling, body);
  write_wishes(request, target, body);
  if (request.response_format == chat::ResponseFormat::kJsonObject) {
    body["response_format"] = {{"type", "json_object"}};
  } else if (request.response_format == chat::ResponseFormat::kJsonSchema) {
    body["response_format"] = {{"type", "json_schema"}, {"json_schema", request.json_schema}};
  }
  if (target == Target::kOpenAi) write_passed(request, body);
  if (stream) {
    body["stream"] = true;
    body["stream_options"] = {{"include_usage", true}};
  }
  return json::serialize(body);
}

// Usage is always counted, whether the app asked for it or not.
constexpr std::string_view kStream = R"(,"stream":true,"stream_options":{"include_usage":true})";

std::string write_from_body(const ChatRequest& request, std::string_view model, bool stream) {
  static constexpr std::array<std::string_view, 2> kOurs{"stream", "stream_options"};
  return write_passthrough(request, model, kOurs, stream ? kStream : "");
}

/// What minimill writes anew, and what llama-server, and servers like it, know nothing of.
std::vector<std::string_view> not_for_llama_server() {
  std::vector<std::string_view> fields{"stream",     "stream_options",        "n",
                                       "max_tokens", "max_completion_tokens", "logprobs"};
  for (const FieldRule& rule : field_rules()) {
    const Treatment how = rule.by_target[static_cast<std::size_t>(Target::kLlamaServer)];
    if (how == Treatment::kLeftOut && !rule.names.front().empty()) {
      fields.push_back(rule.names.front());
    }
  }
  return fields;
}

std::string write_for_llama_server(const ChatRequest& request, std::string_view model,
                                   bool stream) {
  std::string tail;
  if (request.sampling.max_tokens) {
    tail += fmt::format(R"(,"max_tokens":{})", *request.sampling.max_tokens);
  }
  if (request.logprobs) tail += R"(,"logprobs":true)";  // minimill may want them, too
  if (stream) tail += kStream;
  static const std::vector<std::string_view> replaced = not_for_llama_server();
  return write_passthrough(request, model, replaced, tail);
}

}  // namespace

std::string write_chat_request(const ChatRequest& request, std::string_view model, bool stream,
                               Target target) {
  if (target == Target::kLlamaServer && demands_call(request)) {
    return write_chat_request(call_as_json(request), model, stream, target);
  }
  const bool same = request.protocol == chat::Protocol::kOpenAi && !request.body.empty();
  if (!same) return write_from_parts(request, model, stream, target);
  return target == Target::kLlamaServer ? write_for_llama_server(request, model, stream)
                                        : write_from_body(request, model, stream);
}

}  // namespace minimill::protocol::openai
