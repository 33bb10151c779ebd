#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/json.h"
#include "protocol/answer_fields.h"
#include "protocol/anthropic.h"
#include "protocol/function_tools.h"
#include "protocol/request_limits.h"
#include "protocol/utf8.h"

namespace minimill::protocol::anthropic {
namespace {

using chat::ChatRequest;
using chat::Message;
using chat::RequestDraft;
using chat::Role;

std::unexpected<Error> fail_object(const std::string& path) {
  return fail_field(path, fmt::format("'{}' must be an object", path));
}

/// A string, or the text of a list of blocks.
Result<std::string> parse_text_blocks(const json::value& value, const std::string& path) {
  if (value.is_string()) return std::string(value.get_string());
  const json::array* blocks = value.if_array();
  if (blocks == nullptr || blocks->size() > kMaxParts) {
    return fail_field(path,
                      fmt::format("'{}' must be a string or at most {} blocks", path, kMaxParts));
  }
  std::string text;
  for (std::size_t i = 0; i < blocks->size(); ++i) {
    const std::string at = fmt::format("{}[{}]", path, i);
    const json::object* block = (*blocks)[i].if_object();
    if (block == nullptr) return fail_object(at);
    Fields fields(*block, at + ".");
    const bool is_text = fields.required_string("type") == "text";
    const std::string said = is_text ? fields.required_string("text") : std::string();
    if (!fields.ok()) return std::unexpected(std::move(fields).error());
    if (!is_text) continue;
    if (!text.empty()) text += '\n';
    text += said;
  }
  return text;
}

/// A picture's or document's URL; nullopt for a source that is Anthropic's own (its files, say).
Result<std::optional<std::string>> parse_source(Fields& fields) {
  const json::object* source = fields.optional_object("source");
  if (source == nullptr) {
    fields.reject("source", "is required");
    return std::unexpected(std::move(fields).error());
  }
  Fields inner(*source, fields.path("source."));
  const std::string type = inner.required_string("type");
  std::optional<std::string> url;
  if (type == "base64") {
    const std::string media = inner.required_string("media_type");
    url = fmt::format("data:{};base64,{}", media, inner.required_string("data"));
  } else if (type == "url") {
    url = inner.required_string("url");
  }
  if (!inner.ok()) return std::unexpected(std::move(inner).error());
  return url;
}

/// A document of plain text is that text, under its title.
std::optional<chat::Text> parse_plain_document(const json::object& block) {
  const json::object* source = object_in(block, "source");
  if (source == nullptr || text_in(*source, "type") != "text") return std::nullopt;
  std::string text(text_in(block, "title"));
  if (!text.empty()) text += "\n\n";
  text += text_in(*source, "data");
  return chat::Text{std::move(text)};
}

chat::Foreign foreign(const json::object& block, const std::string& path) {
  return {.protocol = chat::Protocol::kAnthropic, .at = path, .block = block};
}

/// What says something: text, a picture, a document, or a block that is Anthropic's own.
Result<chat::Part> parse_content_block(Fields& fields, const json::object& block,
                                       std::string_view type, const std::string& path) {
  if (type == "text") {
    chat::Text text{fields.required_string("text")};
    if (!fields.ok()) return std::unexpected(std::move(fields).error());
    return text;
  }
  if (type != "image" && type != "document") return foreign(block, path);
  if (std::optional<chat::Text> text = parse_plain_document(block)) return std::move(*text);
  Result<std::optional<std::string>> url = parse_source(fields);
  if (!url) return std::unexpected(std::move(url.error()));
  if (!*url) return foreign(block, path);
  if (type == "image") return chat::Image{std::move(**url)};
  return chat::File{.name = std::string(text_in(block, "title")), .url = std::move(**url)};
}

/// Appends the blocks of a tool's result.
Result<> parse_result_content(const json::value& content, const std::string& path,
                              chat::ToolResult& result) {
  if (content.is_string()) {
    result.text = content.get_string();
    return {};
  }
  const json::array* blocks = content.if_array();
  if (blocks == nullptr || blocks->size() > kMaxParts) {
    return fail_field(path,
                      fmt::format("'{}' must be a string or at most {} blocks", path, kMaxParts));
  }
  Message read;
  for (std::size_t i = 0; i < blocks->size(); ++i) {
    const std::string at = fmt::format("{}[{}]", path, i);
    const json::object* block = (*blocks)[i].if_object();
    if (block == nullptr) return fail_object(at);
    Fields fields(*block, at + ".");
    const std::string type = fields.required_string("type");
    if (!fields.ok()) return std::unexpected(std::move(fields).error());
    Result<chat::Part> part = parse_content_block(fields, *block, type, at);
    if (!part) return std::unexpected(std::move(part.error()));
    read.parts.push_back(std::move(*part));
  }
  result.text = read.text();
  move_shown(read.parts, result);
  return {};
}

chat::ToolCall parse_tool_use(Fields& fields) {
  const json::object* input = fields.optional_object("input");
  return {.id = fields.required_string("id"),
          .name = fields.required_string("name"),
          .arguments = input == nullptr ? "{}" : json::serialize(*input)};
}

Result<chat::ToolResult> parse_tool_result(Fields& fields) {
  chat::ToolResult result{.call_id = fields.required_string("tool_use_id"), .text = {}};
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (const json::value* content = fields.find("content")) {
    Result<> read = parse_result_content(*content, fields.path("content"), result);
    if (!read) return std::unexpected(std::move(read.error()));
  }
  return result;
}

Result<> parse_block(const json::value& value, const std::string& path, Message& message) {
  const json::object* block = value.if_object();
  if (block == nullptr) return fail_object(path);
  Fields fields(*block, path + ".");
  const std::string type = fields.required_string("type");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (type == "tool_use") {
    message.parts.emplace_back(parse_tool_use(fields));
  } else if (type == "tool_result") {
    Result<chat::ToolResult> result = parse_tool_result(fields);
    if (!result) return std::unexpected(std::move(result.error()));
    message.parts.emplace_back(std::move(*result));
  } else if (type != "thinking" && type != "redacted_thinking") {
    // Thinking is bound to the turn it was thought in, and lives on in the body.
    Result<chat::Part> part = parse_content_block(fields, *block, type, path);
    if (!part) return std::unexpected(std::move(part.error()));
    message.parts.push_back(std::move(*part));
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return {};
}

Result<Message> parse_message(const json::value& value, const std::string& path) {
  const json::object* object = value.if_object();
  if (object == nullptr) return fail_object(path);
  Fields fields(*object, path + ".");
  const std::string role = fields.required_string("role");
  // Words of the system between the others: Claude Code sends them.
  if (role != "user" && role != "assistant" && role != "system") {
    fields.reject("role", fmt::format("'{}' is no role", utf8_prefix(role, 40)),
                  "use user, assistant or system");
  }
  const json::value* content = fields.find("content");
  if (content == nullptr) fields.reject("content", "is required");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  Message message;
  message.role = role == "user" ? Role::kUser : role == "system" ? Role::kSystem : Role::kAssistant;
  if (content->is_string()) {
    message.parts.emplace_back(chat::Text{std::string(content->get_string())});
    return message;
  }
  const std::string at = path + ".content";
  const json::array* blocks = content->if_array();
  if (blocks == nullptr || blocks->size() > kMaxParts) {
    return fail_field(at, fmt::format("'{}' must be a string or at most {} blocks", at, kMaxParts));
  }
  for (std::size_t i = 0; i < blocks->size(); ++i) {
    Result<> read = parse_block((*blocks)[i], fmt::format("{}[{}]", at, i), message);
    if (!read) return std::unexpected(std::move(read.error()));
  }
  return message;
}

Result<> parse_messages(const json::array& messages, RequestDraft& request) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Result<Message> message = parse_message(messages[i], fmt::format("messages[{}]", i));
    if (!message) return std::unexpected(std::move(message.error()));
    request.messages.push_back(std::move(*message));
  }
  return {};
}

Result<> parse_tools(const json::array& tools, RequestDraft& request) {
  if (tools.size() > kMaxTools) {
    return fail_field("tools", fmt::format("'tools' has more than {} entries", kMaxTools));
  }
  for (std::size_t i = 0; i < tools.size(); ++i) {
    const std::string at = fmt::format("tools[{}]", i);
    const json::object* tool = tools[i].if_object();
    if (tool == nullptr) return fail_object(at);
    Fields fields(*tool, at + ".");
    chat::Tool parsed;
    parsed.name = fields.required_string("name");
    parsed.description = fields.string_or("description", "");
    if (const json::object* schema = fields.optional_object("input_schema")) {
      parsed.parameters = *schema;
    }
    if (fields.find("strict") != nullptr) parsed.strict = fields.bool_or("strict", false);
    if (!fields.ok()) return std::unexpected(std::move(fields).error());
    request.tools.push_back(std::move(parsed));
  }
  return {};
}

Result<> parse_tool_choice(const json::object& choice, RequestDraft& request) {
  Fields fields(choice, "tool_choice.");
  const std::string type = fields.required_string("type");
  if (type == "any") {
    request.tool_choice = chat::ToolChoice::kRequired;
  } else if (type == "none") {
    request.tool_choice = chat::ToolChoice::kNone;
  } else if (type == "tool") {
    request.tool_choice = chat::ToolChoice::kNamed;
    request.tool_name = fields.required_string("name");
  } else if (type != "auto") {
    fields.reject("type", "is none that minimill knows", "use auto, any, tool or none");
  }
  if (fields.bool_or("disable_parallel_tool_use", false)) request.parallel_tool_calls = false;
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return {};
}

/// {"type": "json_schema", "schema": {…}}: its own name for structured outputs.
Result<> parse_output_format(const json::object& format, RequestDraft& request) {
  Fields fields(format, "output_format.");
  const std::string type = fields.required_string("type");
  if (fields.ok() && type != "json_schema") {
    fields.reject("type", "is none that minimill knows", "use json_schema");
  }
  const json::object* schema = fields.optional_object("schema");
  if (schema == nullptr) fields.reject("schema", "is required");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  request.response_format = chat::ResponseFormat::kJsonSchema;
  request.json_schema = {{"name", "answer"}, {"schema", *schema}, {"strict", true}};
  return {};
}

Result<> parse_stops(const json::array& stops, chat::Sampling& sampling) {
  if (stops.size() > kMaxStopSequences) {
    return fail_field("stop_sequences",
                      fmt::format("'stop_sequences' has more than {} entries", kMaxStopSequences));
  }
  for (const json::value& each : stops) {
    const json::string* text = each.if_string();
    if (text == nullptr) {
      return fail_field("stop_sequences", "'stop_sequences' must hold strings only");
    }
    sampling.stop.emplace_back(*text);
  }
  return {};
}

Result<> parse_lists(Fields& fields, RequestDraft& request) {
  if (const json::array* tools = fields.optional_array("tools")) {
    if (Result<> read = parse_tools(*tools, request); !read) return read;
  }
  if (const json::object* choice = fields.optional_object("tool_choice")) {
    if (Result<> read = parse_tool_choice(*choice, request); !read) return read;
  }
  if (const json::object* format = fields.optional_object("output_format")) {
    if (Result<> read = parse_output_format(*format, request); !read) return read;
  }
  if (const json::object* output = fields.optional_object("output_config")) {
    Fields inner(*output, "output_config.");
    const json::object* format = inner.optional_object("format");
    request.reasoning_effort = inner.string_or("effort", "");
    if (!inner.ok()) return std::unexpected(std::move(inner).error());
    Result<> read = format == nullptr ? Result<>{} : parse_output_format(*format, request);
    if (!read) return read;
  }
  if (const json::array* stops = fields.optional_array("stop_sequences")) {
    if (Result<> read = parse_stops(*stops, request.sampling); !read) return read;
  }
  return {};
}

Result<ChatRequest> parse_request(std::string_view text, bool needs_limit) {
  Result<json::object> parsed = parse_json_object(text);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  RequestDraft request;
  Fields fields(*parsed);
  request.model = fields.required_string("model");
  if (request.model.empty() || request.model.size() > kMaxModelBytes) {
    fields.reject("model", fmt::format("must have 1 to {} bytes", kMaxModelBytes));
  }
  request.sampling.max_tokens = fields.optional_integer("max_tokens", 1, kMaxAnswerTokens);
  if (needs_limit && !request.sampling.max_tokens) fields.reject("max_tokens", "is required");
  const json::array* messages = fields.optional_array("messages");
  if (messages == nullptr) {
    fields.reject("messages", "is required");
  } else if (messages->empty() || messages->size() > kMaxMessages) {
    fields.reject("messages", fmt::format("must have 1 to {} entries", kMaxMessages));
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (const json::value* system = fields.find("system")) {
    Result<std::string> said = parse_text_blocks(*system, "system");
    if (!said) return std::unexpected(std::move(said.error()));
    request.messages.push_back(chat::text_message(Role::kSystem, std::move(*said)));
  }
  if (Result<> read = parse_messages(*messages, request); !read) {
    return std::unexpected(std::move(read.error()));
  }
  if (Result<> read = parse_lists(fields, request); !read) {
    return std::unexpected(std::move(read.error()));
  }
  request.sampling.temperature = fields.optional_number("temperature", 0, 1);
  request.sampling.top_p = fields.optional_number("top_p", 0, 1);
  request.sampling.top_k = fields.optional_integer("top_k", 0, kMaxAnswerTokens);
  request.stream = fields.bool_or("stream", false);
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return ChatRequest(std::move(request),
                     {.protocol = chat::Protocol::kAnthropic, .body = std::move(*parsed)});
}

}  // namespace

Result<ChatRequest> parse_messages_request(std::string_view text) {
  return parse_request(text, true);
}

Result<ChatRequest> parse_count_request(std::string_view text) {
  return parse_request(text, false);
}

}  // namespace minimill::protocol::anthropic
