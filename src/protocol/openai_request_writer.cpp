#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <span>
#include <utility>

#include "base/json.h"
#include "protocol/answer_fields.h"
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

json::object part_json(const chat::Image& image) {
  return {{"type", "image_url"}, {"image_url", {{"url", image.url}}}};
}

json::object part_json(const chat::File& file) {
  constexpr std::string_view kUnnamed = "document.pdf";  // it has to have a name
  const std::string_view name = file.name.empty() ? kUnnamed : std::string_view(file.name);
  return {{"type", "file"}, {"file", {{"filename", name}, {"file_data", file.url}}}};
}

/// Another protocol's has been refused or named before anything is written.
json::object part_json(const chat::Foreign& foreign) {
  return foreign.protocol == chat::Protocol::kOpenAi ? foreign.block : json::object();
}

json::object part_json(const chat::Text& text) { return {{"type", "text"}, {"text", text.text}}; }

void append_part(json::object part, json::array& out) {
  if (!part.empty()) out.push_back(std::move(part));
}

/// Tools answer in words here: what their results show beside them the user shows, once all of them
/// have answered.
struct Shown {
  json::array parts;

  void add(const chat::ToolResult& result) {
    if (result.shown.empty()) return;
    parts.push_back(part_json(chat::Text{"What the tool's answer shows:"}));
    for (const chat::ToolResult::Shown& each : result.shown) {
      std::visit([this](const auto& part) { append_part(part_json(part), parts); }, each);
    }
  }
  void flush(json::array& out) {
    if (parts.empty()) return;
    out.push_back({{"role", "user"}, {"content", std::exchange(parts, {})}});
  }
};

void append_message(const Message& message, Shown& shown, json::array& out) {
  json::array parts;
  json::array calls;
  bool only_text = true;
  for (const chat::Part& part : message.parts) {
    if (const auto* result = std::get_if<chat::ToolResult>(&part)) {
      out.push_back(
          {{"role", "tool"}, {"tool_call_id", result->call_id}, {"content", result->text}});
      shown.add(*result);
    } else if (const auto* call = std::get_if<chat::ToolCall>(&part)) {
      calls.push_back({{"id", call->id},
                       {"type", "function"},
                       {"function", {{"name", call->name}, {"arguments", call->arguments}}}});
    } else {
      only_text = only_text && std::holds_alternative<chat::Text>(part);
      if (const auto* image = std::get_if<chat::Image>(&part)) parts.push_back(part_json(*image));
      if (const auto* file = std::get_if<chat::File>(&part)) parts.push_back(part_json(*file));
      if (const auto* text = std::get_if<chat::Text>(&part)) parts.push_back(part_json(*text));
      if (const auto* own = std::get_if<chat::Foreign>(&part)) append_part(part_json(*own), parts);
    }
  }
  if (parts.empty() && calls.empty()) return;
  if (message.role == Role::kUser && !shown.parts.empty()) {
    only_text = false;
    for (json::value& part : parts) shown.parts.push_back(std::move(part));
    parts = std::exchange(shown.parts, {});
  }
  shown.flush(out);
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
    json::object function{
        {"name", tool.name}, {"description", tool.description}, {"parameters", tool.parameters}};
    if (tool.strict) function["strict"] = *tool.strict;
    tools.push_back({{"type", "function"}, {"function", std::move(function)}});
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

/// How the backend is asked: its kind, and what it wants otherwise than others of that kind.
struct Manner {
  Target target = Target::kOpenAi;
  Dialect dialect;
};

void write_rest(const chat::RequestParts& parts, const Manner& manner, json::object& body) {
  const Target target = manner.target;
  if (target == Target::kLlamaServer) {
    if (parts.sampling.top_k) body["top_k"] = *parts.sampling.top_k;
    if (parts.sampling.min_p) body["min_p"] = *parts.sampling.min_p;
    if (parts.sampling.repeat_penalty) body["repeat_penalty"] = *parts.sampling.repeat_penalty;
  }
  if (parts.parallel_tool_calls && !parts.tools.empty()) {
    body["parallel_tool_calls"] = *parts.parallel_tool_calls;
  }
  const bool none = parts.reasoning_effort == "none" && target == Target::kOpenAi;
  if (!parts.reasoning_effort.empty() && (!none || manner.dialect.effort_none)) {
    body["reasoning_effort"] = parts.reasoning_effort;
  }
  if (!parts.logit_bias.empty()) body["logit_bias"] = parts.logit_bias;
  if (parts.response_format == chat::ResponseFormat::kJsonObject) {
    body["response_format"] = {{"type", "json_object"}};
  } else if (parts.response_format == chat::ResponseFormat::kJsonSchema) {
    body["response_format"] = {{"type", "json_schema"}, {"json_schema", parts.json_schema}};
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

json::object parts_json(const chat::RequestParts& parts, const Manner& manner) {
  json::object body;
  json::array messages;
  Shown shown;
  for (const Message& message : parts.messages) append_message(message, shown, messages);
  shown.flush(messages);
  body["messages"] = std::move(messages);
  write_tools(parts, body);
  write_sampling(parts.sampling, body);
  write_rest(parts, manner, body);
  if (manner.dialect.max_completion_tokens) rename_limit(body);
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

/// A choice among some of the tools, which llama-server does not know: the parts hold just those.
bool allows_some_tools(const json::object& body) {
  const json::value* choice = body.if_contains("tool_choice");
  const json::object* named = choice == nullptr ? nullptr : choice->if_object();
  return named != nullptr && text_in(*named, "type") == "allowed_tools";
}

/// One that came in this protocol, with what was edited, or has to be put otherwise.
json::object merged_json(const ChatRequest& request, Manner manner) {
  const json::object& arrived = request.original()->body;
  const std::span<const std::string_view> replaced = replaced_fields(manner.target);
  std::vector<std::string_view> ours(replaced.begin(), replaced.end());
  if (manner.target == Target::kLlamaServer && allows_some_tools(arrived)) {
    ours.insert(ours.end(), {"tools", "tool_choice"});
  }
  if (manner.dialect.max_completion_tokens) ours.emplace_back("max_tokens");
  manner.dialect.max_completion_tokens =
      manner.dialect.max_completion_tokens ||
      (manner.target == Target::kOpenAi && arrived.contains("max_completion_tokens"));
  return merge_edited(arrived, parts_json(request.parts_before(), manner),
                      parts_json(request.parts(), manner), ours);
}

std::string write_from_parts(const ChatRequest& request, std::string_view model, bool stream,
                             const Manner& manner) {
  const chat::OriginalRequest* original = request.original();
  json::object body;
  if (original != nullptr && original->protocol == chat::Protocol::kOpenAi) {
    body = merged_json(request, manner);
  } else {
    body = parts_json(request.parts(), manner);
    if (original != nullptr && manner.target == Target::kOpenAi) write_passed(*original, body);
  }
  body["model"] = model;
  write_wishes(request, manner.target, stream, body);
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

std::string write_from_body(const ChatRequest& request, std::string_view model, bool stream,
                            const Dialect& dialect) {
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
  const bool older_name = body.contains("max_tokens") && !body.contains("max_completion_tokens");
  if (dialect.max_completion_tokens && older_name && request.sampling().max_tokens) {
    ours.emplace_back("max_tokens");
    tail += fmt::format(R"(,"max_completion_tokens":{})", *request.sampling().max_tokens);
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

bool has_scattered_system(const ChatRequest& request) {
  const std::vector<Message>& messages = request.messages();
  return std::any_of(messages.begin() + (messages.empty() ? 0 : 1), messages.end(),
                     [](const Message& message) { return message.role == Role::kSystem; });
}

/// What the system says anywhere, as one message at the beginning.
ChatRequest with_one_system_message(ChatRequest request) {
  request.edit([](chat::RequestParts& parts) {
    Message system{.role = Role::kSystem, .parts = {}};
    for (Message& message : parts.messages) {
      if (message.role != Role::kSystem) continue;
      std::ranges::move(message.parts, std::back_inserter(system.parts));
    }
    std::erase_if(parts.messages, [](const Message& each) { return each.role == Role::kSystem; });
    parts.messages.insert(parts.messages.begin(), std::move(system));
  });
  return request;
}

}  // namespace

std::string write_chat_request(const ChatRequest& request, std::string_view model, bool stream,
                               Target target, const Dialect& dialect) {
  const bool local = target == Target::kLlamaServer;
  if (local && demands_call(request)) {
    return write_chat_request(call_as_json(request), model, stream, target, dialect);
  }
  if ((local || dialect.one_system_message) && has_scattered_system(request)) {
    return write_chat_request(with_one_system_message(request), model, stream, target, dialect);
  }
  const chat::OriginalRequest* untouched = request.untouched();
  const bool passes = untouched != nullptr && untouched->protocol == chat::Protocol::kOpenAi &&
                      !(local && allows_some_tools(untouched->body));
  if (!passes) return write_from_parts(request, model, stream, {target, dialect});
  return local ? write_for_llama_server(request, model, stream)
               : write_from_body(request, model, stream, dialect);
}

}  // namespace minimill::protocol::openai
