#include <fmt/format.h>

#include <array>
#include <optional>
#include <utility>

#include "base/json.h"
#include "protocol/openai.h"

namespace minimill::protocol::openai {
namespace {

using chat::ChatRequest;
using chat::Message;
using chat::Role;

constexpr std::size_t kMaxMessages = 4096;
constexpr std::size_t kMaxParts = 1024;
constexpr std::size_t kMaxTools = 512;
constexpr std::size_t kMaxStops = 16;
constexpr std::size_t kMaxModelBytes = 256;
constexpr std::int64_t kMaxTokens = 1 << 24;

std::optional<Role> role_named(std::string_view text) {
  if (text == "user") return Role::kUser;
  if (text == "assistant") return Role::kAssistant;
  if (text == "system" || text == "developer") return Role::kSystem;
  if (text == "tool" || text == "function") return Role::kTool;
  return std::nullopt;
}

std::string_view role_name(Role role) {
  constexpr std::array<std::string_view, 4> kNames{"system", "user", "assistant", "tool"};
  return kNames[static_cast<std::size_t>(role)];
}

Result<chat::Part> parse_part(const json::value& value, const std::string& path) {
  const json::object* object = value.if_object();
  if (object == nullptr) return fail_field(path, fmt::format("'{}' must be an object", path));
  Fields fields(*object, path + ".");
  const std::string type = fields.required_string("type");
  if (fields.ok() && type == "text") {
    chat::Text text{fields.required_string("text")};
    if (fields.ok()) return text;
  } else if (fields.ok() && type == "image_url") {
    const json::object* image = fields.optional_object("image_url");
    if (image != nullptr) {
      Fields inner(*image, path + ".image_url.");
      chat::Image part{inner.required_string("url")};
      if (!inner.ok()) return std::unexpected(std::move(inner).error());
      return part;
    }
    fields.reject("image_url", "is required");
  } else if (fields.ok()) {
    fields.reject("type", fmt::format("'{}' is not a kind of content minimill knows", type),
                  "use text or image_url");
  }
  return std::unexpected(std::move(fields).error());
}

Result<> parse_content(const json::value* content, const std::string& path, Message& message) {
  if (content == nullptr) {
    if (message.role == Role::kAssistant) return {};  // tool calls may stand alone
    return fail_field(path, fmt::format("'{}' is required", path));
  }
  if (content->is_string()) {
    message.parts.emplace_back(chat::Text{std::string(content->get_string())});
    return {};
  }
  const json::array* parts = content->if_array();
  if (parts == nullptr || parts->size() > kMaxParts) {
    return fail_field(path, fmt::format("'{}' must be a string or at most {} parts", path, kMaxParts));
  }
  for (std::size_t i = 0; i < parts->size(); ++i) {
    Result<chat::Part> part = parse_part((*parts)[i], fmt::format("{}[{}]", path, i));
    if (!part) return std::unexpected(std::move(part.error()));
    message.parts.push_back(std::move(*part));
  }
  return {};
}

Result<> parse_tool_calls(const json::array& calls, const std::string& path, Message& message) {
  if (calls.size() > kMaxParts) return fail_field(path, fmt::format("'{}' is too long", path));
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const std::string at = fmt::format("{}[{}]", path, i);
    const json::object* call = calls[i].if_object();
    if (call == nullptr) return fail_field(at, fmt::format("'{}' must be an object", at));
    Fields fields(*call, at + ".");
    chat::ToolCall part;
    part.id = fields.required_string("id");
    const json::object* function = fields.optional_object("function");
    if (function == nullptr) fields.reject("function", "is required");
    if (!fields.ok()) return std::unexpected(std::move(fields).error());
    Fields inner(*function, at + ".function.");
    part.name = inner.required_string("name");
    part.arguments = inner.string_or("arguments", "{}");
    if (!inner.ok()) return std::unexpected(std::move(inner).error());
    message.parts.emplace_back(std::move(part));
  }
  return {};
}

Result<Message> parse_message(const json::value& value, const std::string& path) {
  const json::object* object = value.if_object();
  if (object == nullptr) return fail_field(path, fmt::format("'{}' must be an object", path));
  Fields fields(*object, path + ".");
  const std::string role = fields.required_string("role");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  const std::optional<Role> known = role_named(role);
  if (!known) {
    fields.reject("role", fmt::format("'{}' is no role", role),
                  "use system, developer, user, assistant or tool");
    return std::unexpected(std::move(fields).error());
  }
  Message message;
  message.role = *known;
  if (Result<> read = parse_content(fields.find("content"), path + ".content", message); !read) {
    return std::unexpected(std::move(read.error()));
  }
  if (message.role == Role::kTool) {
    const std::string call_id = fields.string_or("tool_call_id", "");
    std::string text = message.text();
    message.parts = {chat::ToolResult{call_id, std::move(text)}};
  }
  if (const json::array* calls = fields.optional_array("tool_calls")) {
    Result<> read = parse_tool_calls(*calls, path + ".tool_calls", message);
    if (!read) return std::unexpected(std::move(read.error()));
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return message;
}

Result<> parse_tools(const json::array& tools, ChatRequest& request) {
  if (tools.size() > kMaxTools) {
    return fail_field("tools", fmt::format("'tools' has more than {}", kMaxTools));
  }
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const std::string at = fmt::format("tools[{}]", i);
    const json::object* tool = tools[i].if_object();
    if (tool == nullptr) return fail_field(at, fmt::format("'{}' must be an object", at));
    Fields fields(*tool, at + ".");
    const json::object* function = fields.optional_object("function");
    if (function == nullptr) fields.reject("function", "is required");
    if (!fields.ok()) return std::unexpected(std::move(fields).error());
    Fields inner(*function, at + ".function.");
    chat::Tool parsed;
    parsed.name = inner.required_string("name");
    parsed.description = inner.string_or("description", "");
    if (const json::object* parameters = inner.optional_object("parameters")) {
      parsed.parameters = *parameters;
    }
    if (!inner.ok()) return std::unexpected(std::move(inner).error());
    request.tools.push_back(std::move(parsed));
  }
  return {};
}

void parse_tool_choice(Fields& fields, ChatRequest& request) {
  const json::value* choice = fields.find("tool_choice");
  if (choice == nullptr) return;
  if (*choice == "auto") return;
  if (*choice == "none") {
    request.tool_choice = chat::ToolChoice::kNone;
  } else if (*choice == "required") {
    request.tool_choice = chat::ToolChoice::kRequired;
  } else if (const json::object* named = choice->if_object()) {
    const json::value* function = named->if_contains("function");
    const json::value* name = function != nullptr && function->is_object()
                                  ? function->get_object().if_contains("name")
                                  : nullptr;
    if (name == nullptr || !name->is_string()) {
      fields.reject("tool_choice", "must name a function");
      return;
    }
    request.tool_choice = chat::ToolChoice::kNamed;
    request.tool_name = name->get_string();
  } else {
    fields.reject("tool_choice", "must be auto, none, required or name a function");
  }
}

void parse_response_format(Fields& fields, ChatRequest& request) {
  const json::object* format = fields.optional_object("response_format");
  if (format == nullptr) return;
  const json::value* type = format->if_contains("type");
  if (type != nullptr && *type == "json_object") {
    request.response_format = chat::ResponseFormat::kJsonObject;
  } else if (type != nullptr && *type == "json_schema") {
    const json::value* schema = format->if_contains("json_schema");
    if (schema == nullptr || !schema->is_object()) {
      fields.reject("response_format", "needs an object json_schema");
      return;
    }
    request.response_format = chat::ResponseFormat::kJsonSchema;
    request.json_schema = schema->get_object();
  } else if (type == nullptr || *type != "text") {
    fields.reject("response_format", "has no type minimill knows",
                  "use text, json_object or json_schema");
  }
}

void parse_stop(Fields& fields, chat::Sampling& sampling) {
  const json::value* stop = fields.find("stop");
  if (stop == nullptr) return;
  if (stop->is_string()) {
    sampling.stop.emplace_back(stop->get_string());
    return;
  }
  const json::array* list = stop->if_array();
  bool good = list != nullptr && list->size() <= kMaxStops;
  if (good) {
    for (const json::value& each : *list) {
      good = good && each.is_string();
      if (good) sampling.stop.emplace_back(each.get_string());
    }
  }
  if (!good) fields.reject("stop", fmt::format("must be a string or at most {} strings", kMaxStops));
}

void parse_sampling(Fields& fields, chat::Sampling& sampling) {
  sampling.temperature = fields.optional_number("temperature", 0, 2);
  sampling.top_p = fields.optional_number("top_p", 0, 1);
  sampling.max_tokens = fields.optional_integer("max_completion_tokens", 1, kMaxTokens);
  if (!sampling.max_tokens) sampling.max_tokens = fields.optional_integer("max_tokens", 1, kMaxTokens);
  sampling.seed = fields.optional_integer("seed");
  parse_stop(fields, sampling);
  if (const auto n = fields.optional_integer("n", 1); n && *n != 1) {
    fields.reject("n", "must be 1", "send the request several times for several answers");
  }
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
      out.push_back({{"role", "tool"}, {"tool_call_id", result->call_id}, {"content", result->text}});
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
    case chat::ToolChoice::kAuto: break;
    case chat::ToolChoice::kNone: body["tool_choice"] = "none"; break;
    case chat::ToolChoice::kRequired: body["tool_choice"] = "required"; break;
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

/// Every field as it came but for the three that are minimill's; written field by field, so that
/// nothing is copied.
std::string write_from_body(const ChatRequest& request, std::string_view model, bool stream) {
  constexpr std::size_t kOurFieldsBytes = 256;
  std::string out;
  std::size_t prompt_bytes = 0;
  for (const Message& message : request.messages) {
    for (const chat::Part& part : message.parts) {
      if (const auto* text = std::get_if<chat::Text>(&part)) prompt_bytes += text->text.size();
    }
  }
  out.reserve(prompt_bytes + kOurFieldsBytes);
  out += R"({"model":)";
  append_json_string(out, model);
  json::serializer serializer;
  std::array<char, 4096> chunk;
  for (const auto& [key, value] : request.body) {
    if (key == "model" || key == "stream" || key == "stream_options") continue;
    out += ',';
    append_json_string(out, key);
    out += ':';
    serializer.reset(&value);
    while (!serializer.done()) out += serializer.read(chunk.data(), chunk.size());
  }
  // Usage is always counted, whether the app asked for it or not.
  if (stream) out += R"(,"stream":true,"stream_options":{"include_usage":true})";
  out += '}';
  return out;
}

}  // namespace

Result<ChatRequest> parse_chat_request(std::string_view text) {
  Result<json::object> parsed = parse_json_object(text);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  ChatRequest request;
  Fields fields(*parsed);
  request.model = fields.required_string("model");
  if (fields.ok() && (request.model.empty() || request.model.size() > kMaxModelBytes)) {
    fields.reject("model", fmt::format("must have 1 to {} bytes", kMaxModelBytes));
  }
  const json::array* messages = fields.optional_array("messages");
  if (messages == nullptr) {
    fields.reject("messages", "is required");
  } else if (messages->empty() || messages->size() > kMaxMessages) {
    fields.reject("messages", fmt::format("must have 1 to {} entries", kMaxMessages));
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  for (std::size_t i = 0; i < messages->size(); ++i) {
    Result<Message> message = parse_message((*messages)[i], fmt::format("messages[{}]", i));
    if (!message) return std::unexpected(std::move(message.error()));
    request.messages.push_back(std::move(*message));
  }
  if (const json::array* tools = fields.optional_array("tools")) {
    if (Result<> read = parse_tools(*tools, request); !read) return std::unexpected(read.error());
  }
  parse_tool_choice(fields, request);
  parse_response_format(fields, request);
  parse_sampling(fields, request.sampling);
  request.stream = fields.bool_or("stream", false);
  if (const json::object* options = fields.optional_object("stream_options")) {
    Fields inner(*options, "stream_options.");
    request.include_usage = inner.bool_or("include_usage", false);
    if (!inner.ok()) return std::unexpected(std::move(inner).error());
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  request.protocol = chat::Protocol::kOpenAi;
  request.body = std::move(*parsed);
  return request;
}

std::string write_chat_request(const ChatRequest& request, std::string_view model, bool stream) {
  const bool same = request.protocol == chat::Protocol::kOpenAi && !request.body.empty();
  return same ? write_from_body(request, model, stream) : write_from_parts(request, model, stream);
}

}  // namespace minimill::protocol::openai
