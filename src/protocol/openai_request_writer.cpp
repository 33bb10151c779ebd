#include <fmt/format.h>

#include <array>
#include <span>
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

void write_tools(const chat::RequestParts& parts, json::object& body) {
  if (parts.tools.empty()) return;
  json::array tools;
  for (const chat::Tool& tool : parts.tools) {
    tools.push_back({{"type", "function"},
                     {"function",
                      {{"name", tool.name},
                       {"description", tool.description},
                       {"parameters", tool.parameters}}}});
  }
  body["tools"] = std::move(tools);
  switch (parts.tool_choice) {
    case chat::ToolChoice::kAuto:
      break;
    case chat::ToolChoice::kNone:
      body["tool_choice"] = "none";
      break;
    case chat::ToolChoice::kRequired:
      body["tool_choice"] = "required";
      break;
    case chat::ToolChoice::kNamed:
      body["tool_choice"] = {{"type", "function"}, {"function", {{"name", parts.tool_name}}}};
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

void write_rest(const chat::RequestParts& parts, Target target, json::object& body) {
  if (target == Target::kLlamaServer) {
    if (parts.sampling.top_k) body["top_k"] = *parts.sampling.top_k;
    if (parts.sampling.min_p) body["min_p"] = *parts.sampling.min_p;
    if (parts.sampling.repeat_penalty) body["repeat_penalty"] = *parts.sampling.repeat_penalty;
  }
  if (parts.parallel_tool_calls && !parts.tools.empty()) {
    body["parallel_tool_calls"] = *parts.parallel_tool_calls;
  }
  if (!parts.reasoning_effort.empty()) body["reasoning_effort"] = parts.reasoning_effort;
  if (!parts.logit_bias.empty()) body["logit_bias"] = parts.logit_bias;
  if (parts.response_format == chat::ResponseFormat::kJsonObject) {
    body["response_format"] = {{"type", "json_object"}};
  } else if (parts.response_format == chat::ResponseFormat::kJsonSchema) {
    body["response_format"] = {{"type", "json_schema"}, {"json_schema", parts.json_schema}};
  }
}

json::object parts_json(const chat::RequestParts& parts, Target target) {
  json::object body;
  json::array messages;
  for (const Message& message : parts.messages) append_message(message, messages);
  body["messages"] = std::move(messages);
  write_tools(parts, body);
  write_sampling(parts.sampling, body);
  write_rest(parts, target, body);
  return body;
}

void write_wishes(const ChatRequest& request, Target target, bool stream, json::object& body) {
  if (target != Target::kLlamaServer && request.choices > 1) body["n"] = request.choices;
  if (request.logprobs) {
    body["logprobs"] = true;
    if (request.top_logprobs() > 0) body["top_logprobs"] = request.top_logprobs();
  }
  if (!stream) return;
  body["stream"] = true;
  // Usage is always counted, whether the app asked for it or not.
  body["stream_options"] = {{"include_usage", true}};
}

/// What OpenAI takes as it is from the apps of its other APIs: {"user": …}, {"text": {"verbosity":
/// …}}.
void write_passed(const chat::OriginalRequest& original, json::object& body) {
  for (const FieldRule& rule : field_rules()) {
    const std::string_view ours = rule.names.front();
    const std::string_view theirs = rule.names[static_cast<std::size_t>(original.protocol)];
    const bool passes =
        rule.by_target[static_cast<std::size_t>(Target::kOpenAi)] == Treatment::kPassed;
    if (!passes || ours.empty() || theirs.empty()) continue;
    const json::value* value = field_at(original.body, theirs);
    if (value != nullptr && !value->is_null()) body[ours] = *value;
  }
}

/// OpenAI's newer models refuse the old name of the limit, and other servers know no newer one: the
/// app that chose one knows why.
void rename_limit(json::object& body) {
  const json::value* limit = body.if_contains("max_tokens");
  if (limit == nullptr) return;
  json::value tokens = *limit;
  body.erase("max_tokens");
  body["max_completion_tokens"] = std::move(tokens);
}

/// What minimill writes anew, and what llama-server, and servers like it, know nothing of.
std::vector<std::string_view> not_for_llama_server() {
  std::vector<std::string_view> fields{"stream",      "stream_options",        "n",
                                       "max_tokens",  "max_completion_tokens", "logprobs",
                                       "top_logprobs"};
  for (const FieldRule& rule : field_rules()) {
    const Treatment how = rule.by_target[static_cast<std::size_t>(Target::kLlamaServer)];
    if (how == Treatment::kLeftOut && !rule.names.front().empty()) {
      fields.push_back(rule.names.front());
    }
  }
  return fields;
}

std::span<const std::string_view> replaced_fields(Target target) {
  static constexpr std::array<std::string_view, 5> kAtProviders{"stream", "stream_options", "n",
                                                                "logprobs", "top_logprobs"};
  static const std::vector<std::string_view> at_engines = not_for_llama_server();
  if (target == Target::kLlamaServer) return at_engines;
  return kAtProviders;
}

/// An edited request that came in this protocol.
json::object merged_json(const ChatRequest& request, Target target) {
  const json::object& arrived = request.original()->body;
  json::object before = parts_json(request.parts_before(), target);
  json::object after = parts_json(request.parts(), target);
  if (target == Target::kOpenAi && arrived.contains("max_completion_tokens")) {
    rename_limit(before);
    rename_limit(after);
  }
  return merge_edited(arrived, before, std::move(after), replaced_fields(target));
}

std::string write_from_parts(const ChatRequest& request, std::string_view model, bool stream,
                             Target target) {
  const chat::OriginalRequest* original = request.original();
  json::object body;
  if (original != nullptr && original->protocol == chat::Protocol::kOpenAi) {
    body = merged_json(request, target);
  } else {
    body = parts_json(request.parts(), target);
    if (original != nullptr && target == Target::kOpenAi) write_passed(*original, body);
  }
  body["model"] = model;
  write_wishes(request, target, stream, body);
  return json::serialize(body);
}

// Usage is always counted, whether the app asked for it or not.
constexpr std::string_view kStream = R"(,"stream":true,"stream_options":{"include_usage":true})";

std::string logprobs_tail(const ChatRequest& request) {
  if (!request.logprobs) return {};
  if (request.top_logprobs() == 0) return R"(,"logprobs":true)";
  return fmt::format(R"(,"logprobs":true,"top_logprobs":{})", request.top_logprobs());
}

std::int64_t choices_in(const json::object& body) {
  const json::value* choices = body.if_contains("n");
  return choices == nullptr || choices->is_null() ? 1 : choices->to_number<std::int64_t>();
}

std::string write_from_body(const ChatRequest& request, std::string_view model, bool stream) {
  std::vector<std::string_view> ours{"stream", "stream_options"};
  std::string tail;
  // minimill's own wishes, where they are others than the app's.
  const json::object& body = request.untouched()->body;
  if (request.choices != choices_in(body)) {
    ours.emplace_back("n");
    if (request.choices > 1) tail += fmt::format(R"(,"n":{})", request.choices);
  }
  const json::value* logprobs = body.if_contains("logprobs");
  if (request.logprobs != (logprobs != nullptr && *logprobs == true)) {
    ours.insert(ours.end(), {"logprobs", "top_logprobs"});
    tail += logprobs_tail(request);
  }
  if (stream) tail += kStream;
  return write_passthrough(request, model, ours, tail);
}

std::string write_for_llama_server(const ChatRequest& request, std::string_view model,
                                   bool stream) {
  std::string tail;
  if (request.sampling().max_tokens) {
    tail += fmt::format(R"(,"max_tokens":{})", *request.sampling().max_tokens);
  }
  tail += logprobs_tail(request);  // minimill may want them, too
  if (stream) tail += kStream;
  return write_passthrough(request, model, replaced_fields(Target::kLlamaServer), tail);
}

}  // namespace

std::string write_chat_request(const ChatRequest& request, std::string_view model, bool stream,
                               Target target) {
  if (target == Target::kLlamaServer && demands_call(request)) {
    return write_chat_request(call_as_json(request), model, stream, target);
  }
  const chat::OriginalRequest* untouched = request.untouched();
  if (untouched == nullptr || untouched->protocol != chat::Protocol::kOpenAi) {
    return write_from_parts(request, model, stream, target);
  }
  return target == Target::kLlamaServer ? write_for_llama_server(request, model, stream)
                                        : write_from_body(request, model, stream);
}

}  // namespace minimill::protocol::openai
