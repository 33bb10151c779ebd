#include <fmt/format.h>

#include <optional>
#include <utility>

#include "base/json.h"
#include "protocol/answer_fields.h"
#include "protocol/files.h"
#include "protocol/function_tools.h"
#include "protocol/openai.h"
#include "protocol/request_limits.h"
#include "protocol/utf8.h"

namespace minimill::protocol::openai {
namespace {

using chat::ChatRequest;
using chat::Message;
using chat::RequestDraft;
using chat::Role;

std::unexpected<Error> fail_object(const std::string& path) {
  return fail_field(path, fmt::format("'{}' must be an object", path));
}

std::optional<Role> role_named(std::string_view text) {
  if (text == "user") return Role::kUser;
  if (text == "assistant") return Role::kAssistant;
  if (text == "system" || text == "developer") return Role::kSystem;
  if (text == "tool") return Role::kTool;
  return std::nullopt;
}

Result<chat::Part> parse_image(Fields& fields) {
  const json::object* image = fields.optional_object("image_url");
  if (image == nullptr) {
    fields.reject("image_url", "is required");
    return std::unexpected(std::move(fields).error());
  }
  Fields inner(*image, fields.path("image_url."));
  std::string url = inner.required_string("url");
  if (!inner.ok()) return std::unexpected(std::move(inner).error());
  return picture_or_document<chat::Part>(std::move(url));
}

/// A file by its bytes; one by the id that a provider gave it is that provider's own.
std::optional<chat::Part> parse_file(const json::object& part) {
  const json::object* file = object_in(part, "file");
  if (file == nullptr) return std::nullopt;
  const std::string_view data = text_in(*file, "file_data");
  if (!data.starts_with("data:")) return std::nullopt;
  return chat::File{.name = std::string(text_in(*file, "filename")), .url = std::string(data)};
}

Result<chat::Part> parse_part(const json::value& value, const std::string& path, Role role) {
  const json::object* object = value.if_object();
  if (object == nullptr) return fail_object(path);
  Fields fields(*object, path + ".");
  const std::string type = fields.required_string("type");
  std::optional<chat::Text> text;
  if (type == "text") text.emplace(fields.required_string("text"));
  if (type == "refusal") text.emplace(fields.required_string("refusal"));
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (text) return std::move(*text);
  if (role != Role::kSystem) {  // where nobody else has anything but words
    if (type == "image_url") return parse_image(fields);
    std::optional<chat::Part> file = type == "file" ? parse_file(*object) : std::nullopt;
    if (file) return std::move(*file);
  }
  return chat::Foreign{.protocol = chat::Protocol::kOpenAi, .at = path, .block = *object};
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
    return fail_field(path,
                      fmt::format("'{}' must be a string or at most {} parts", path, kMaxParts));
  }
  for (std::size_t i = 0; i < parts->size(); ++i) {
    Result<chat::Part> part = parse_part((*parts)[i], fmt::format("{}[{}]", path, i), message.role);
    if (!part) return std::unexpected(std::move(part.error()));
    message.parts.push_back(std::move(*part));
  }
  return {};
}

Result<chat::ToolCall> parse_tool_call(const json::value& value, const std::string& path) {
  const json::object* call = value.if_object();
  if (call == nullptr) return fail_object(path);
  Fields fields(*call, path + ".");
  chat::ToolCall part;
  part.id = fields.required_string("id");
  if (const json::object* custom = fields.optional_object("custom")) {
    Fields inner(*custom, path + ".custom.");
    part.name = inner.required_string("name");
    part.arguments = free_text_arguments(inner.string_or("input", ""));
    if (!inner.ok()) return std::unexpected(std::move(inner).error());
    return part;
  }
  const json::object* function = fields.optional_object("function");
  if (function == nullptr) fields.reject("function", "is required");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  Fields inner(*function, path + ".function.");
  part.name = inner.required_string("name");
  part.arguments = inner.string_or("arguments", "{}");
  if (!inner.ok()) return std::unexpected(std::move(inner).error());
  return part;
}

Result<> parse_tool_calls(const json::array& calls, const std::string& path, Message& message) {
  if (calls.size() > kMaxParts) {
    return fail_field(path, fmt::format("'{}' has more than {} entries", path, kMaxParts));
  }
  if (message.role != Role::kAssistant) {
    return fail_field(path, fmt::format("'{}' belongs to an assistant's message", path));
  }
  for (std::size_t i = 0; i < calls.size(); ++i) {
    Result<chat::ToolCall> call = parse_tool_call(calls[i], fmt::format("{}[{}]", path, i));
    if (!call) return std::unexpected(std::move(call.error()));
    message.parts.emplace_back(std::move(*call));
  }
  return {};
}

Result<Message> parse_message(const json::value& value, const std::string& path) {
  const json::object* object = value.if_object();
  if (object == nullptr) return fail_object(path);
  Fields fields(*object, path + ".");
  const std::string role = fields.required_string("role");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  const std::optional<Role> known = role_named(role);
  if (!known) {
    fields.reject("role", fmt::format("'{}' is no role", utf8_prefix(role, 40)),
                  "use system, developer, user, assistant or tool");
    return std::unexpected(std::move(fields).error());
  }
  Message message;
  message.role = *known;
  if (Result<> read = parse_content(fields.find("content"), path + ".content", message); !read) {
    return std::unexpected(std::move(read.error()));
  }
  if (message.role == Role::kTool) {
    chat::ToolResult result{.call_id = fields.required_string("tool_call_id"),
                            .text = message.text()};
    move_shown(message.parts, result);
    message.parts = {std::move(result)};
  }
  if (const json::array* calls = fields.optional_array("tool_calls")) {
    Result<> read = parse_tool_calls(*calls, path + ".tool_calls", message);
    if (!read) return std::unexpected(std::move(read.error()));
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return message;
}

Result<> parse_messages(const json::array& messages, RequestDraft& request) {
  request.messages.reserve(messages.size());
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Result<Message> message = parse_message(messages[i], fmt::format("messages[{}]", i));
    if (!message) return std::unexpected(std::move(message.error()));
    request.messages.push_back(std::move(*message));
  }
  return {};
}

Result<> parse_named_tool(const json::object& choice, RequestDraft& request) {
  Fields fields(choice, "tool_choice.");
  const std::string type = fields.string_or("type", "function");
  if (fields.ok() && type == "allowed_tools") {
    const json::object* allowed = fields.optional_object("allowed_tools");
    return allow_tools(allowed == nullptr ? choice : *allowed, request);
  }
  const std::string_view key = type == "custom" ? "custom" : "function";
  const json::object* function = fields.optional_object(key);
  if (function == nullptr) fields.reject(key, "is required");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  Fields inner(*function, fmt::format("tool_choice.{}.", key));
  request.tool_choice = chat::ToolChoice::kNamed;
  request.tool_name = inner.required_string("name");
  if (!inner.ok()) return std::unexpected(std::move(inner).error());
  return {};
}

Result<> parse_tool_choice(const json::value& choice, RequestDraft& request) {
  if (const json::object* named = choice.if_object()) return parse_named_tool(*named, request);
  if (choice == "none") {
    request.tool_choice = chat::ToolChoice::kNone;
  } else if (choice == "required") {
    request.tool_choice = chat::ToolChoice::kRequired;
  } else if (choice != "auto") {
    return fail_field("tool_choice", "'tool_choice' is none that minimill knows",
                      "use auto, none, required, or name a function");
  }
  return {};
}

Result<> parse_response_format(const json::object& format, RequestDraft& request) {
  Fields fields(format, "response_format.");
  const std::string type = fields.required_string("type");
  if (type == "json_object") {
    request.response_format = chat::ResponseFormat::kJsonObject;
  } else if (type == "json_schema") {
    const json::object* schema = fields.optional_object("json_schema");
    if (schema == nullptr) {
      fields.reject("json_schema", "is required");
    } else {
      request.response_format = chat::ResponseFormat::kJsonSchema;
      request.json_schema = *schema;
    }
  } else if (fields.ok() && type != "text") {
    return fail_field("response_format", "'response_format' is none that minimill knows",
                      "use text, json_object or json_schema");
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return {};
}

Result<> parse_stop(const json::value& stop, chat::Sampling& sampling) {
  if (stop.is_string()) {
    sampling.stop.emplace_back(stop.get_string());
    return {};
  }
  const json::array* list = stop.if_array();
  if (list == nullptr || list->size() > kMaxStops) {
    return fail_field("stop",
                      fmt::format("'stop' must be a string or at most {} strings", kMaxStops));
  }
  for (const json::value& each : *list) {
    const json::string* text = each.if_string();
    if (text == nullptr) return fail_field("stop", "'stop' must hold strings only");
    sampling.stop.emplace_back(*text);
  }
  return {};
}

void parse_sampling(Fields& fields, chat::Sampling& sampling) {
  sampling.temperature = fields.optional_number("temperature", 0, 2);
  sampling.top_p = fields.optional_number("top_p", 0, 1);
  sampling.max_tokens = fields.optional_integer("max_tokens", 1, kMaxAnswerTokens);
  // The newer name of the same limit.
  if (const auto newer = fields.optional_integer("max_completion_tokens", 1, kMaxAnswerTokens)) {
    sampling.max_tokens = newer;
  }
  sampling.seed = fields.optional_integer("seed");
  sampling.presence_penalty = fields.optional_number("presence_penalty", -2, 2);
  sampling.frequency_penalty = fields.optional_number("frequency_penalty", -2, 2);
}

void parse_wishes(Fields& fields, RequestDraft& request) {
  request.choices = fields.optional_integer("n", 1, kMaxChoices).value_or(1);
  request.logprobs = fields.bool_or("logprobs", false);
  request.top_logprobs = fields.optional_integer("top_logprobs", 0, kMaxTopLogprobs).value_or(0);
  if (request.top_logprobs > 0 && !request.logprobs) {
    fields.reject("top_logprobs", "needs 'logprobs' to be true");
  }
  if (fields.find("parallel_tool_calls") != nullptr) {
    request.parallel_tool_calls = fields.bool_or("parallel_tool_calls", true);
  }
  request.reasoning_effort = fields.string_or("reasoning_effort", "");
  if (const json::object* bias = fields.optional_object("logit_bias")) request.logit_bias = *bias;
  for (const char* old : {"functions", "function_call"}) {
    if (fields.find(old) != nullptr) {
      fields.reject(old, "is OpenAI's old way", "use tools and tool_choice");
    }
  }
}
/// What is a string or a list, an object or a string: kinds that Fields has no getter for.
Result<> parse_mixed(Fields& fields, RequestDraft& request) {
  if (const json::array* tools = fields.optional_array("tools")) {
    if (Result<> read = parse_function_tools(*tools, request); !read) return read;
  }
  if (const json::value* choice = fields.find("tool_choice")) {
    if (Result<> read = parse_tool_choice(*choice, request); !read) return read;
  }
  if (const json::object* format = fields.optional_object("response_format")) {
    if (Result<> read = parse_response_format(*format, request); !read) return read;
  }
  if (const json::value* stop = fields.find("stop")) {
    if (Result<> read = parse_stop(*stop, request.sampling); !read) return read;
  }
  if (const json::object* options = fields.optional_object("stream_options")) {
    Fields inner(*options, "stream_options.");
    request.include_usage = inner.bool_or("include_usage", false);
    if (!inner.ok()) return std::unexpected(std::move(inner).error());
  }
  return {};
}

}  // namespace

Result<ChatRequest> parse_chat_request(std::string_view text) {
  Result<json::object> parsed = parse_json_object(text);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  RequestDraft request;
  Fields fields(*parsed);
  request.model = fields.required_string("model");
  if (request.model.empty() || request.model.size() > kMaxModelBytes) {
    fields.reject("model", fmt::format("must have 1 to {} bytes", kMaxModelBytes));
  }
  const json::array* messages = fields.optional_array("messages");
  if (messages == nullptr) {
    fields.reject("messages", "is required");
  } else if (messages->empty() || messages->size() > kMaxMessages) {
    fields.reject("messages", fmt::format("must have 1 to {} entries", kMaxMessages));
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (Result<> read = parse_messages(*messages, request); !read) {
    return std::unexpected(std::move(read.error()));
  }
  if (Result<> read = parse_mixed(fields, request); !read) {
    return std::unexpected(std::move(read.error()));
  }
  parse_sampling(fields, request.sampling);
  parse_wishes(fields, request);
  request.stream = fields.bool_or("stream", false);
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return ChatRequest(std::move(request),
                     {.protocol = chat::Protocol::kOpenAi, .body = std::move(*parsed)});
}

}  // namespace minimill::protocol::openai
