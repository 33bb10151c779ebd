#include <array>
#include <utility>

#include "base/json.h"
#include "protocol/openai.h"
#include "protocol/passthrough.h"

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
  if (sampling.temperature) body["temperature"] = *sampling.temperature;
  if (sampling.top_p) body["top_p"] = *sampling.top_p;
  if (sampling.max_tokens) body["max_tokens"] = *sampling.max_tokens;
  if (sampling.seed) body["seed"] = *sampling.seed;
  if (!sampling.stop.empty()) {
    json::array stop(sampling.stop.begin(), sampling.stop.end());
    body["stop"] = std::move(stop);
  }
}

std::string write_from_parts(const ChatRequest& request, std::string_view model, bool stream) {
  json::object body{{"model", model}};
  json::array messages;
  for (const Message& message : request.messages) append_message(message, messages);
  body["messages"] = std::move(messages);
  write_tools(request, body);
  write_sampling(request.sampling, body);
  if (request.response_format == chat::ResponseFormat::kJsonObject) {
    body["response_format"] = {{"type", "json_object"}};
  } else if (request.response_format == chat::ResponseFormat::kJsonSchema) {
    body["response_format"] = {{"type", "json_schema"}, {"json_schema", request.json_schema}};
  }
  if (stream) {
    body["stream"] = true;
    body["stream_options"] = {{"include_usage", true}};
  }
  return json::serialize(body);
}

std::string write_from_body(const ChatRequest& request, std::string_view model, bool stream) {
  // Usage is always counted, whether the app asked for it or not.
  constexpr std::string_view kStream = R"(,"stream":true,"stream_options":{"include_usage":true})";
  return write_passthrough(request, model, {"stream", "stream_options"}, stream ? kStream : "");
}

}  // namespace

std::string write_chat_request(const ChatRequest& request, std::string_view model, bool stream) {
  const bool same = request.protocol == chat::Protocol::kOpenAi && !request.body.empty();
  return same ? write_from_body(request, model, stream) : write_from_parts(request, model, stream);
}

}  // namespace minimill::protocol::openai
