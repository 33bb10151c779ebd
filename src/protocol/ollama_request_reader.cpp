#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/json.h"
#include "protocol/ollama.h"
#include "protocol/ollama_fields.h"
#include "protocol/request_limits.h"
#include "protocol/utf8.h"

namespace minimill::protocol::ollama {
namespace {

using chat::ChatRequest;
using chat::Message;
using chat::Role;

constexpr std::int64_t kMaxTopLogprobs = 20;

std::unexpected<Error> fail_object(const std::string& path) {
  return fail_field(path, fmt::format("'{}' must be an object", path));
}

std::optional<Role> role_named(std::string_view text) {
  if (text == "user") return Role::kUser;
  if (text == "assistant") return Role::kAssistant;
  if (text == "system") return Role::kSystem;
  if (text == "tool") return Role::kTool;
  return std::nullopt;
}

/// The media type that base64 data begins like; images come without one.
std::string_view media_type(std::string_view base64) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kBeginnings{{
      {"iVBORw0KGgo", "image/png"},
      {"/9j/", "image/jpeg"},
      {"R0lGOD", "image/gif"},
      {"UklGR", "image/webp"},
      {"Qk", "image/bmp"},
  }};
  for (const auto& [beginning, type] : kBeginnings) {
    if (base64.starts_with(beginning)) return type;
  }
  return {};
}

bool is_base64(std::string_view text) {
  if (text.size() % 4 != 0) return false;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  });
}

/// Images stand before the text that asks about them, as Ollama puts them.
Result<> parse_images(const json::array& images, const std::string& path, Message& message) {
  if (images.size() > kMaxParts) {
    return fail_field(path, fmt::format("'{}' has more than {} entries", path, kMaxParts));
  }
  // Elsewhere no protocol can carry them: they would be lost on the way to another backend.
  if (!images.empty() && message.role != Role::kUser && message.role != Role::kAssistant) {
    return fail_field(path, fmt::format("'{}' belongs to a user's or assistant's message", path));
  }
  for (std::size_t i = 0; i < images.size(); ++i) {
    const std::string at = fmt::format("{}[{}]", path, i);
    const json::string* data = images[i].if_string();
    const std::string_view type = data == nullptr ? std::string_view() : media_type(*data);
    if (type.empty() || !is_base64(*data)) {
      return fail_field(at, fmt::format("'{}' is no image minimill knows", at),
                        "send a PNG, JPEG, GIF, WebP or BMP file in base64");
    }
    message.parts.emplace_back(
        chat::Image{fmt::format("data:{};base64,{}", type, std::string_view(*data))});
  }
  return {};
}

/// Gives ids to the calls of a conversation in which they may have none, and finds the call that a
/// tool's message answers.
class CallIds {
 public:
  void begin_message() { open_.clear(); }

  std::string id_for(const std::string& name, std::string given) {
    std::string id = given.empty() ? fmt::format("call_{}", count_) : std::move(given);
    ++count_;
    open_.push_back({.id = id, .name = name});
    return id;
  }

  /// Of the last message with calls: an empty name is anybody's.
  std::optional<std::string> answered(std::string_view name) {
    const auto call = std::ranges::find_if(
        open_, [&](const OpenCall& each) { return name.empty() || each.name == name; });
    if (call == open_.end()) return std::nullopt;
    std::string id = std::move(call->id);
    open_.erase(call);
    return id;
  }

 private:
  struct OpenCall {
    std::string id;
    std::string name;
  };
  std::vector<OpenCall> open_;  // of one message: at most kMaxParts
  std::size_t count_ = 0;
};

Result<chat::ToolCall> parse_tool_call(const json::value& value, const std::string& path,
                                       CallIds& ids) {
  const json::object* call = value.if_object();
  if (call == nullptr) return fail_object(path);
  Fields fields(*call, path + ".");
  std::string id = fields.string_or("id", "");
  const json::object* function = fields.optional_object("function");
  if (function == nullptr) fields.reject("function", "is required");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  Fields inner(*function, path + ".function.");
  chat::ToolCall part;
  part.name = inner.required_string("name");
  const json::object* arguments = inner.optional_object("arguments");
  part.arguments = arguments == nullptr ? "{}" : json::serialize(*arguments);
  if (!inner.ok()) return std::unexpected(std::move(inner).error());
  part.id = ids.id_for(part.name, std::move(id));
  return part;
}

Result<> parse_tool_calls(const json::array& calls, const std::string& path, CallIds& ids,
                          Message& message) {
  if (calls.empty()) return {};
  if (calls.size() > kMaxParts) {
    return fail_field(path, fmt::format("'{}' has more than {} entries", path, kMaxParts));
  }
  if (message.role != Role::kAssistant) {
    return fail_field(path, fmt::format("'{}' belongs to an assistant's message", path));
  }
  ids.begin_message();
  for (std::size_t i = 0; i < calls.size(); ++i) {
    Result<chat::ToolCall> call = parse_tool_call(calls[i], fmt::format("{}[{}]", path, i), ids);
    if (!call) return std::unexpected(std::move(call.error()));
    message.parts.emplace_back(std::move(*call));
  }
  return {};
}

Result<chat::ToolResult> parse_tool_result(Fields& fields, CallIds& ids) {
  chat::ToolResult result{.call_id = fields.string_or("tool_call_id", ""),
                          .text = fields.required_string("content")};
  const std::string name = fields.string_or("tool_name", "");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (!result.call_id.empty()) return result;
  std::optional<std::string> id = ids.answered(name);
  if (!id) {
    fields.reject(name.empty() ? "role" : "tool_name", "answers no tool call before it",
                  "keep the assistant's message with its tool_calls in the conversation");
    return std::unexpected(std::move(fields).error());
  }
  result.call_id = std::move(*id);
  return result;
}

Result<Message> parse_message(const json::value& value, const std::string& path, CallIds& ids) {
  const json::object* object = value.if_object();
  if (object == nullptr) return fail_object(path);
  Fields fields(*object, path + ".");
  const std::string role = fields.required_string("role");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  const std::optional<Role> known = role_named(role);
  if (!known) {
    fields.reject("role", fmt::format("'{}' is no role", utf8_prefix(role, 40)),
                  "use system, user, assistant or tool");
    return std::unexpected(std::move(fields).error());
  }
  Message message;
  message.role = *known;
  if (const json::array* images = fields.optional_array("images")) {
    Result<> read = parse_images(*images, path + ".images", message);
    if (!read) return std::unexpected(std::move(read.error()));
  }
  if (message.role == Role::kTool) {
    Result<chat::ToolResult> result = parse_tool_result(fields, ids);
    if (!result) return std::unexpected(std::move(result.error()));
    message.parts.emplace_back(std::move(*result));
  } else if (std::string text = fields.string_or("content", ""); !text.empty()) {
    message.parts.emplace_back(chat::Text{std::move(text)});
  }
  if (const json::array* calls = fields.optional_array("tool_calls")) {
    Result<> read = parse_tool_calls(*calls, path + ".tool_calls", ids, message);
    if (!read) return std::unexpected(std::move(read.error()));
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  // A message has something to say, if only nothing.
  if (message.parts.empty()) message.parts.emplace_back(chat::Text{});
  return message;
}

Result<> parse_messages(const json::array& messages, ChatRequest& request) {
  request.messages.reserve(messages.size());
  CallIds ids;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Result<Message> message = parse_message(messages[i], fmt::format("messages[{}]", i), ids);
    if (!message) return std::unexpected(std::move(message.error()));
    request.messages.push_back(std::move(*message));
  }
  return {};
}

Result<chat::Tool> parse_tool(const json::value& value, const std::string& path) {
  const json::object* tool = value.if_object();
  if (tool == nullptr) return fail_object(path);
  Fields fields(*tool, path + ".");
  if (fields.string_or("type", "function") != "function") {
    fields.reject("type", "is no kind of tool minimill knows", "use function");
  }
  const json::object* function = fields.optional_object("function");
  if (function == nullptr) fields.reject("function", "is required");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  Fields inner(*function, path + ".function.");
  chat::Tool parsed;
  parsed.name = inner.required_string("name");
  parsed.description = inner.string_or("description", "");
  if (const json::object* parameters = inner.optional_object("parameters")) {
    parsed.parameters = *parameters;
  }
  if (!inner.ok()) return std::unexpected(std::move(inner).error());
  return parsed;
}

Result<> parse_tools(const json::array& tools, ChatRequest& request) {
  if (tools.size() > kMaxTools) {
    return fail_field("tools", fmt::format("'tools' has more than {} entries", kMaxTools));
  }
  for (std::size_t i = 0; i < tools.size(); ++i) {
    Result<chat::Tool> tool = parse_tool(tools[i], fmt::format("tools[{}]", i));
    if (!tool) return std::unexpected(std::move(tool.error()));
    request.tools.push_back(std::move(*tool));
  }
  return {};
}

/// "json", or the schema that the answer has to follow.
void read_format(Fields& fields, ChatRequest& request) {
  const json::value* format = fields.find("format");
  if (format == nullptr || *format == "") return;
  if (const json::object* schema = format->if_object()) {
    request.response_format = chat::ResponseFormat::kJsonSchema;
    request.json_schema = {{"name", "answer"}, {"schema", *schema}};
  } else if (*format == "json") {
    request.response_format = chat::ResponseFormat::kJsonObject;
  } else {
    fields.reject("format", "is none that minimill knows", "use \"json\" or a JSON schema");
  }
}

void read_think(Fields& fields, ChatRequest& request) {
  const json::value* think = fields.find("think");
  if (think == nullptr) return;
  if (const bool* wanted = think->if_bool()) {
    request.reasoning_effort = *wanted ? "medium" : "none";
  } else if (*think == "low" || *think == "medium" || *think == "high") {
    request.reasoning_effort = think->get_string();
  } else {
    fields.reject("think", "is none that minimill knows",
                  "use true, false, \"low\", \"medium\" or \"high\"");
  }
}

/// What both endpoints have beside the conversation itself.
Result<> parse_common(const json::object& body, Request& request) {
  Fields fields(body);
  request.chat.model = read_model(fields);
  request.chat.stream = fields.bool_or("stream", true);
  request.chat.logprobs = fields.bool_or("logprobs", false);
  request.chat.top_logprobs =
      fields.optional_integer("top_logprobs", 0, kMaxTopLogprobs).value_or(0);
  request.keep_alive = read_keep_alive(fields);
  read_format(fields, request.chat);
  read_think(fields, request.chat);
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return read_options(body, request.chat);
}

Result<> parse_chat(const json::object& body, Request& request) {
  Fields fields(body);
  const json::array* messages = fields.optional_array("messages");
  const json::array* tools = fields.optional_array("tools");
  if (messages != nullptr && messages->size() > kMaxMessages) {
    fields.reject("messages", fmt::format("has more than {} entries", kMaxMessages));
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  request.load_only = messages == nullptr || messages->empty();
  if (!request.load_only) {
    if (Result<> read = parse_messages(*messages, request.chat); !read) return read;
  }
  if (tools == nullptr) return {};
  return parse_tools(*tools, request.chat);
}

std::unexpected<Error> refuse(std::string_view field, std::string_view why, std::string hint) {
  return std::unexpected(
      fail(ErrorCode::kUnsupported, fmt::format("'{}' {}", field, why), std::move(hint))
          .error()
          .with_field(std::string(field)));
}

/// What goes around the model's own template, which every backend but Ollama applies itself.
Result<> refuse_unsupported(Fields& fields) {
  if (fields.bool_or("raw", false)) {
    return refuse("raw", "is not supported: the model's own template is always applied",
                  "send the text without template marks as prompt, or messages to /api/chat");
  }
  if (!fields.string_or("suffix", "").empty()) {
    return refuse("suffix", "is not supported: nothing is filled in before it",
                  "say in the prompt what stands before and after the gap");
  }
  if (!fields.string_or("template", "").empty()) {
    return refuse("template", "is not supported: the model's own is always applied",
                  "say in system what the template would have said");
  }
  if (const json::array* context = fields.optional_array("context");
      context != nullptr && !context->empty()) {
    return refuse("context", "is not supported: no answer has one to go on from",
                  "send the conversation so far as messages to /api/chat");
  }
  return {};
}

Result<> parse_generate(const json::object& body, Request& request) {
  Fields fields(body);
  if (Result<> read = refuse_unsupported(fields); !read) return read;
  std::string system = fields.string_or("system", "");
  std::string prompt = fields.string_or("prompt", "");
  const json::array* images = fields.optional_array("images");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  request.load_only = prompt.empty();
  if (request.load_only) return {};
  if (!system.empty()) {
    request.chat.messages.push_back(chat::text_message(Role::kSystem, std::move(system)));
  }
  Message message;
  if (images != nullptr) {
    if (Result<> read = parse_images(*images, "images", message); !read) return read;
  }
  message.parts.emplace_back(chat::Text{std::move(prompt)});
  request.chat.messages.push_back(std::move(message));
  return {};
}

Result<Request> parse_request(std::string_view text,
                              Result<> (*parse_conversation)(const json::object&, Request&)) {
  Result<json::object> body = parse_json_object(text);
  if (!body) return std::unexpected(std::move(body.error()));
  Request request;
  if (Result<> read = parse_common(*body, request); !read) {
    return std::unexpected(std::move(read.error()));
  }
  if (Result<> read = parse_conversation(*body, request); !read) {
    return std::unexpected(std::move(read.error()));
  }
  request.chat.protocol = chat::Protocol::kOllama;
  request.chat.body = std::move(*body);
  return request;
}

}  // namespace

Result<Request> parse_chat_request(std::string_view body) {
  return parse_request(body, parse_chat);
}

Result<Request> parse_generate_request(std::string_view body) {
  return parse_request(body, parse_generate);
}

}  // namespace minimill::protocol::ollama
