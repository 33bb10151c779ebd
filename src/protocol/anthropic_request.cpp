#include <fmt/format.h>

#include <utility>

#include "base/json.h"
#include "protocol/anthropic.h"

namespace minimill::protocol::anthropic {
namespace {

using chat::ChatRequest;
using chat::Message;
using chat::Role;

constexpr std::size_t kMaxMessages = 4096;
constexpr std::size_t kMaxBlocks = 1024;
constexpr std::size_t kMaxTools = 512;
constexpr std::int64_t kMaxTokens = 1 << 24;
constexpr std::string_view kJsonOnly =
    "Answer with one JSON object and nothing else: no prose, no code fence.";

// ---- reading

Result<std::string> text_blocks(const json::value& value, const std::string& path) {
  if (value.is_string()) return std::string(value.get_string());
  std::string text;
  const json::array* blocks = value.if_array();
  if (blocks == nullptr || blocks->size() > kMaxBlocks) {
    return fail_field(path, fmt::format("'{}' must be a string or a list of blocks", path));
  }
  for (const json::value& each : *blocks) {
    const json::object* block = each.if_object();
    const json::value* said = block == nullptr ? nullptr : block->if_contains("text");
    if (said == nullptr || !said->is_string()) continue;  // images in tool results, and the like
    if (!text.empty()) text += '\n';
    text += said->get_string();
  }
  return text;
}

Result<chat::Image> parse_image(Fields& fields) {
  const json::object* source = fields.optional_object("source");
  if (source == nullptr) {
    fields.reject("source", "is required");
    return std::unexpected(std::move(fields).error());
  }
  Fields inner(*source, fields.path("source."));
  const std::string type = inner.required_string("type");
  chat::Image image;
  if (type == "base64") {
    const std::string media = inner.required_string("media_type");
    image.url = fmt::format("data:{};base64,{}", media, inner.required_string("data"));
  } else {
    image.url = inner.required_string("url");
  }
  if (!inner.ok()) return std::unexpected(std::move(inner).error());
  return image;
}

Result<> parse_block(const json::value& value, const std::string& path, Message& message) {
  const json::object* block = value.if_object();
  if (block == nullptr) return fail_field(path, fmt::format("'{}' must be an object", path));
  Fields fields(*block, path + ".");
  const std::string type = fields.required_string("type");
  if (type == "text") {
    message.parts.emplace_back(chat::Text{fields.required_string("text")});
  } else if (type == "image") {
    Result<chat::Image> image = parse_image(fields);
    if (!image) return std::unexpected(std::move(image.error()));
    message.parts.emplace_back(std::move(*image));
  } else if (type == "tool_use") {
    const json::object* input = fields.optional_object("input");
    message.parts.emplace_back(
        chat::ToolCall{.id = fields.required_string("id"),
                       .name = fields.required_string("name"),
                       .arguments = input == nullptr ? "{}" : json::serialize(*input)});
  } else if (type == "tool_result") {
    chat::ToolResult result{.call_id = fields.required_string("tool_use_id"), .text = {}};
    if (const json::value* content = fields.find("content")) {
      Result<std::string> text = text_blocks(*content, path + ".content");
      if (!text) return std::unexpected(std::move(text.error()));
      result.text = std::move(*text);
    }
    message.parts.emplace_back(std::move(result));
  } else if (fields.ok() && type != "thinking" && type != "redacted_thinking") {
    // Thinking is Anthropic's own and lives on in the body.
    fields.reject("type", fmt::format("'{}' is not a kind of block minimill knows", type),
                  "use text, image, tool_use, tool_result or thinking");
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return {};
}

Result<Message> parse_message(const json::value& value, const std::string& path) {
  const json::object* object = value.if_object();
  if (object == nullptr) return fail_field(path, fmt::format("'{}' must be an object", path));
  Fields fields(*object, path + ".");
  const std::string role = fields.required_string("role");
  if (fields.ok() && role != "user" && role != "assistant") {
    fields.reject("role", fmt::format("'{}' is no role", role), "use user or assistant");
  }
  const json::value* content = fields.find("content");
  if (content == nullptr) fields.reject("content", "is required");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  Message message;
  message.role = role == "user" ? Role::kUser : Role::kAssistant;
  if (content->is_string()) {
    message.parts.emplace_back(chat::Text{std::string(content->get_string())});
    return message;
  }
  const json::array* blocks = content->if_array();
  const std::string at = path + ".content";
  if (blocks == nullptr || blocks->size() > kMaxBlocks) {
    return fail_field(at, fmt::format("'{}' must be a string or at most {} blocks", at, kMaxBlocks));
  }
  for (std::size_t i = 0; i < blocks->size(); ++i) {
    Result<> read = parse_block((*blocks)[i], fmt::format("{}[{}]", at, i), message);
    if (!read) return std::unexpected(std::move(read.error()));
  }
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
    chat::Tool parsed;
    parsed.name = fields.required_string("name");
    parsed.description = fields.string_or("description", "");
    if (const json::object* schema = fields.optional_object("input_schema")) {
      parsed.parameters = *schema;
    }
    if (!fields.ok()) return std::unexpected(std::move(fields).error());
    request.tools.push_back(std::move(parsed));
  }
  return {};
}

void parse_tool_choice(Fields& fields, ChatRequest& request) {
  const json::object* choice = fields.optional_object("tool_choice");
  if (choice == nullptr) return;
  Fields inner(*choice, "tool_choice.");
  const std::string type = inner.required_string("type");
  if (type == "any") {
    request.tool_choice = chat::ToolChoice::kRequired;
  } else if (type == "none") {
    request.tool_choice = chat::ToolChoice::kNone;
  } else if (type == "tool") {
    request.tool_choice = chat::ToolChoice::kNamed;
    request.tool_name = inner.required_string("name");
  } else if (type != "auto") {
    fields.reject("tool_choice", "has no type minimill knows", "use auto, any, tool or none");
  }
  if (!inner.ok()) fields.reject("tool_choice", inner.error().message);
}

void parse_stops(Fields& fields, chat::Sampling& sampling) {
  const json::array* stops = fields.optional_array("stop_sequences");
  if (stops == nullptr) return;
  for (const json::value& each : *stops) {
    if (!each.is_string()) {
      fields.reject("stop_sequences", "must be a list of strings");
      return;
    }
    sampling.stop.emplace_back(each.get_string());
  }
}

// ---- writing

json::object image_json(const chat::Image& image) {
  constexpr std::string_view kData = "data:";
  constexpr std::string_view kBase64 = ";base64,";
  const std::size_t mark = image.url.find(kBase64);
  if (!image.url.starts_with(kData) || mark == std::string::npos) {
    return {{"type", "image"}, {"source", {{"type", "url"}, {"url", image.url}}}};
  }
  return {{"type", "image"},
          {"source",
           {{"type", "base64"},
            {"media_type", image.url.substr(kData.size(), mark - kData.size())},
            {"data", image.url.substr(mark + kBase64.size())}}}};
}

json::object block_json(const chat::Part& part) {
  if (const auto* image = std::get_if<chat::Image>(&part)) return image_json(*image);
  if (const auto* call = std::get_if<chat::ToolCall>(&part)) {
    Result<json::object> input = parse_json_object(call->arguments);
    return {{"type", "tool_use"},
            {"id", call->id},
            {"name", call->name},
            {"input", input ? std::move(*input) : json::object{}}};
  }
  if (const auto* result = std::get_if<chat::ToolResult>(&part)) {
    return {{"type", "tool_result"}, {"tool_use_id", result->call_id}, {"content", result->text}};
  }
  return {{"type", "text"}, {"text", std::get<chat::Text>(part).text}};
}

/// Anthropic wants the system prompt apart, and users and assistants in turn: neighbours of one role
/// are joined.
json::array messages_json(const ChatRequest& request, std::string& system) {
  json::array messages;
  std::string_view last_role;
  for (const Message& message : request.messages) {
    if (message.role == Role::kSystem) {
      if (!system.empty()) system += "\n\n";
      system += message.text();
      continue;
    }
    const std::string_view role = message.role == Role::kAssistant ? "assistant" : "user";
    if (role != last_role) messages.push_back({{"role", role}, {"content", json::array{}}});
    last_role = role;
    json::array& blocks = messages.back().as_object()["content"].as_array();
    for (const chat::Part& part : message.parts) {
      const auto* text = std::get_if<chat::Text>(&part);
      if (text != nullptr && text->text.empty()) continue;  // empty text blocks are refused
      blocks.push_back(block_json(part));
    }
  }
  return messages;
}

void write_tools(const ChatRequest& request, json::object& body) {
  if (request.tools.empty()) return;
  json::array tools;
  for (const chat::Tool& tool : request.tools) {
    json::object schema = tool.parameters;
    if (!schema.contains("type")) schema["type"] = "object";
    tools.push_back(
        {{"name", tool.name}, {"description", tool.description}, {"input_schema", schema}});
  }
  body["tools"] = std::move(tools);
  switch (request.tool_choice) {
    case chat::ToolChoice::kAuto: break;
    case chat::ToolChoice::kNone: body["tool_choice"] = {{"type", "none"}}; break;
    case chat::ToolChoice::kRequired: body["tool_choice"] = {{"type", "any"}}; break;
    case chat::ToolChoice::kNamed:
      body["tool_choice"] = {{"type", "tool"}, {"name", request.tool_name}};
      break;
  }
}

/// There is no response_format: the wish is put into words, the schema beside it.
void ask_for_json(const ChatRequest& request, std::string& system) {
  if (request.response_format == chat::ResponseFormat::kText) return;
  if (!system.empty()) system += "\n\n";
  system += kJsonOnly;
  const json::value* schema = request.json_schema.if_contains("schema");
  if (schema != nullptr) system += "\nIt must fit this JSON Schema: " + json::serialize(*schema);
}

std::string write_from_parts(const ChatRequest& request, std::string_view model, bool stream) {
  std::string system;
  json::object body{{"model", model}};
  body["messages"] = messages_json(request, system);
  ask_for_json(request, system);
  if (!system.empty()) body["system"] = system;
  body["max_tokens"] = request.sampling.max_tokens.value_or(kDefaultMaxTokens);
  // OpenAI's temperature goes to 2, Anthropic's to 1.
  if (request.sampling.temperature) body["temperature"] = std::min(1.0, *request.sampling.temperature);
  if (request.sampling.top_p) body["top_p"] = *request.sampling.top_p;
  if (!request.sampling.stop.empty()) {
    json::array stops(request.sampling.stop.begin(), request.sampling.stop.end());
    body["stop_sequences"] = std::move(stops);
  }
  write_tools(request, body);
  if (stream) body["stream"] = true;
  return json::serialize(body);
}

}  // namespace

Result<ChatRequest> parse_messages_request(std::string_view text) {
  Result<json::object> parsed = parse_json_object(text);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  ChatRequest request;
  Fields fields(*parsed);
  request.model = fields.required_string("model");
  request.sampling.max_tokens = fields.optional_integer("max_tokens", 1, kMaxTokens);
  if (fields.ok() && !request.sampling.max_tokens) fields.reject("max_tokens", "is required");
  const json::array* messages = fields.optional_array("messages");
  if (messages == nullptr) {
    fields.reject("messages", "is required");
  } else if (messages->empty() || messages->size() > kMaxMessages) {
    fields.reject("messages", fmt::format("must have 1 to {} entries", kMaxMessages));
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (const json::value* system = fields.find("system")) {
    Result<std::string> said = text_blocks(*system, "system");
    if (!said) return std::unexpected(std::move(said.error()));
    request.messages.push_back(chat::text_message(Role::kSystem, std::move(*said)));
  }
  for (std::size_t i = 0; i < messages->size(); ++i) {
    Result<Message> message = parse_message((*messages)[i], fmt::format("messages[{}]", i));
    if (!message) return std::unexpected(std::move(message.error()));
    request.messages.push_back(std::move(*message));
  }
  if (const json::array* tools = fields.optional_array("tools")) {
    if (Result<> read = parse_tools(*tools, request); !read) return std::unexpected(read.error());
  }
  parse_tool_choice(fields, request);
  parse_stops(fields, request.sampling);
  request.sampling.temperature = fields.optional_number("temperature", 0, 1);
  request.sampling.top_p = fields.optional_number("top_p", 0, 1);
  request.stream = fields.bool_or("stream", false);
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  request.protocol = chat::Protocol::kAnthropic;
  request.body = std::move(*parsed);
  return request;
}

std::string write_messages_request(const ChatRequest& request, std::string_view model,
                                   bool stream) {
  if (request.protocol != chat::Protocol::kAnthropic || request.body.empty()) {
    return write_from_parts(request, model, stream);
  }
  json::object body = request.body;
  body["model"] = model;
  body["stream"] = stream;
  return json::serialize(body);
}

}  // namespace minimill::protocol::anthropic
