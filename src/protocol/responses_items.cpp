#include "protocol/responses_items.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>

#include "base/json.h"
#include "protocol/answer_fields.h"
#include "protocol/files.h"
#include "protocol/function_tools.h"
#include "protocol/request_limits.h"
#include "protocol/responses.h"
#include "protocol/unsupported_field.h"
#include "protocol/utf8.h"

namespace minimill::protocol::responses {
namespace {

using chat::Message;
using chat::Role;

constexpr std::size_t kShownBytes = 40;  // of a client's word in an error

/// Messages may leave their type out. Empty for an item without one, and for one that is no string.
std::string_view type_of(const json::object& item) {
  const json::value* type = item.if_contains("type");
  const bool left_out = type == nullptr || type->is_null();
  return left_out && item.contains("role") ? "message" : text_in(item, "type");
}

std::optional<Role> role_named(std::string_view text) {
  if (text == "user") return Role::kUser;
  if (text == "assistant") return Role::kAssistant;
  if (text == "system" || text == "developer") return Role::kSystem;
  return std::nullopt;
}

std::unexpected<Error> keeps_no_files(const Fields& fields, std::string_view instead) {
  return unsupported_field(fields.path("file_id"), "minimill keeps no files",
                           fmt::format("send {}", instead));
}

Result<chat::Part> parse_image(Fields& fields, Role role) {
  if (fields.find("file_id") != nullptr) return keeps_no_files(fields, "image_url");
  // Elsewhere no protocol can carry it: it would be lost on the way to a backend of another one.
  if (role != Role::kUser && role != Role::kTool) {
    fields.reject("type", "cannot be input_image in a message of this role", "use input_text");
  }
  std::string url = fields.required_string("image_url");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return picture_or_document<chat::Part>(std::move(url));
}

Result<chat::Part> parse_file(Fields& fields, Role role) {
  if (fields.find("file_id") != nullptr) return keeps_no_files(fields, "file_data");
  if (role != Role::kUser && role != Role::kTool) {
    fields.reject("type", "cannot be input_file in a message of this role", "use input_text");
  }
  chat::File file{.name = fields.string_or("filename", ""),
                  .url = fields.string_or("file_url", "")};
  if (file.url.empty()) file.url = fields.required_string("file_data");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return file;
}

Result<chat::Part> parse_part(const json::value& value, const std::string& path, Role role) {
  const json::object* object = value.if_object();
  if (object == nullptr) return fail_field(path, fmt::format("'{}' must be an object", path));
  Fields fields(*object, path + ".");
  const std::string type = fields.required_string("type");
  if (fields.ok() && type == "input_image") return parse_image(fields, role);
  if (fields.ok() && type == "input_file") return parse_file(fields, role);
  std::optional<chat::Text> text;
  if (type == "input_text" || type == "output_text") text.emplace(fields.required_string("text"));
  if (type == "refusal") text.emplace(fields.required_string("refusal"));
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (text) return std::move(*text);
  return unsupported_field(path + ".type",
                           fmt::format("'{}.type' is '{}', which minimill does not carry", path,
                                       utf8_prefix(type, kShownBytes)),
                           "use input_text, input_image, input_file, output_text or refusal");
}

/// A string, or parts of the kinds that `role` may send.
Result<std::vector<chat::Part>> parse_content(Fields& fields, std::string_view key, Role role) {
  const std::string path = fields.path(key);
  const json::value* content = fields.find(key);
  if (content == nullptr) return fail_field(path, fmt::format("'{}' is required", path));
  std::vector<chat::Part> read;
  if (content->is_string()) {
    read.emplace_back(chat::Text{std::string(content->get_string())});
    return read;
  }
  const json::array* parts = content->if_array();
  if (parts == nullptr || parts->size() > kMaxParts) {
    return fail_field(path,
                      fmt::format("'{}' must be a string or at most {} parts", path, kMaxParts));
  }
  read.reserve(parts->size());
  for (std::size_t i = 0; i < parts->size(); ++i) {
    Result<chat::Part> part = parse_part((*parts)[i], fmt::format("{}[{}]", path, i), role);
    if (!part) return std::unexpected(std::move(part.error()));
    read.push_back(std::move(*part));
  }
  return read;
}

bool has_call(const Message& message) {
  return std::ranges::any_of(message.parts, [](const chat::Part& part) {
    return std::holds_alternative<chat::ToolCall>(part);
  });
}

Result<> append_message(Fields& fields, std::vector<Message>& messages) {
  const std::string role = fields.required_string("role");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  const std::optional<Role> known = role_named(role);
  if (!known) {
    fields.reject("role", fmt::format("'{}' is no role", utf8_prefix(role, kShownBytes)),
                  "use system, developer, user or assistant");
    return std::unexpected(std::move(fields).error());
  }
  Result<std::vector<chat::Part>> parts = parse_content(fields, "content", *known);
  if (!parts) return std::unexpected(std::move(parts.error()));
  // What is said after a call belongs to it: between a call and its result nobody may speak.
  const bool beside_calls = *known == Role::kAssistant && !messages.empty() &&
                            messages.back().role == Role::kAssistant && has_call(messages.back());
  if (!beside_calls) {
    messages.push_back({.role = *known, .parts = std::move(*parts)});
    return {};
  }
  std::vector<chat::Part>& known_parts = messages.back().parts;
  std::ranges::move(*parts, std::back_inserter(known_parts));
  return {};
}

/// A call of a function, or of a custom tool, whose argument is free text.
Result<> append_call(Fields& fields, bool custom, std::vector<Message>& messages) {
  chat::ToolCall call;
  call.id = fields.required_string("call_id");
  call.name = fields.required_string("name");
  call.arguments = fields.required_string(custom ? "input" : "arguments");
  if (custom) call.arguments = free_text_arguments(call.arguments);
  if (call.arguments.empty()) call.arguments = "{}";
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (messages.empty() || messages.back().role != Role::kAssistant) {
    messages.push_back({.role = Role::kAssistant, .parts = {}});
  }
  messages.back().parts.emplace_back(std::move(call));
  return {};
}

Result<> append_call_output(Fields& fields, std::vector<Message>& messages) {
  chat::ToolResult result;
  result.call_id = fields.required_string("call_id");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  Result<std::vector<chat::Part>> parts = parse_content(fields, "output", Role::kTool);
  if (!parts) return std::unexpected(std::move(parts.error()));
  Message read{.role = Role::kTool, .parts = std::move(*parts)};
  result.text = read.text();
  move_shown(read.parts, result);
  messages.push_back({.role = Role::kTool, .parts = {std::move(result)}});
  return {};
}

/// What was said before the items that follow, as minimill has summed it up.
Result<> append_compaction(Fields& fields, std::vector<Message>& messages) {
  const std::string content = fields.required_string("encrypted_content");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  const std::optional<std::string> summary = summary_in(content);
  if (!summary) {
    return unsupported_field(fields.path("encrypted_content"),
                             "the summary is another server's, which alone can read it",
                             "begin a new conversation");
  }
  messages.push_back(chat::text_message(
      Role::kUser, fmt::format("What was said and done before, in short:\n\n{}", *summary)));
  return {};
}

Result<> append_item(const json::value& value, const std::string& path,
                     std::vector<Message>& messages) {
  const json::object* item = value.if_object();
  if (item == nullptr) return fail_field(path, fmt::format("'{}' must be an object", path));
  Fields fields(*item, path + ".");
  const std::string_view type = type_of(*item);
  if (type == "message") return append_message(fields, messages);
  const bool custom = type == "custom_tool_call";
  if (custom || type == "function_call") return append_call(fields, custom, messages);
  if (type == "function_call_output" || type == "custom_tool_call_output") {
    return append_call_output(fields, messages);
  }
  if (type == "compaction") return append_compaction(fields, messages);
  if (type == "reasoning" || type == kCompactionTrigger || is_of_hosted_tool(type)) return {};
  (void)fields.required_string("type");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return unsupported_field(path + ".type",
                           fmt::format("'{}.type' is '{}', which minimill does not carry", path,
                                       utf8_prefix(type, kShownBytes)),
                           "use message, function_call, function_call_output or reasoning");
}

constexpr std::string_view kSummary = "minimill-summary:";

json::array text_part(std::string_view role, std::string_view text) {
  json::object part{{"type", role == "assistant" ? "output_text" : "input_text"}, {"text", text}};
  if (role == "assistant") part["annotations"] = json::array();
  return {std::move(part)};
}

}  // namespace

Result<std::vector<Message>> messages_of(const json::array& items, std::string_view path) {
  std::vector<Message> messages;
  for (std::size_t i = 0; i < items.size(); ++i) {
    Result<> read = append_item(items[i], fmt::format("{}[{}]", path, i), messages);
    if (!read) return std::unexpected(std::move(read.error()));
  }
  return messages;
}

json::array normalised(const json::array& items) {
  json::array out;
  out.reserve(items.size());
  for (const json::value& each : items) {
    json::object item = each.get_object();
    const std::string type(type_of(item));
    item["type"] = type;
    if (const json::value* content = item.if_contains("content");
        type == "message" && content != nullptr && content->is_string()) {
      item["content"] = text_part(text_in(item, "role"), content->get_string());
    }
    out.push_back(std::move(item));
  }
  return out;
}

json::array normalised(std::string_view input) {
  return {
      json::object{{"type", "message"}, {"role", "user"}, {"content", text_part("user", input)}}};
}

bool is_of_hosted_tool(std::string_view type) {
  constexpr std::array<std::string_view, 18> kTypes{"web_search_call",
                                                    "file_search_call",
                                                    "computer_call",
                                                    "computer_call_output",
                                                    "image_generation_call",
                                                    "code_interpreter_call",
                                                    "local_shell_call",
                                                    "local_shell_call_output",
                                                    "shell_call",
                                                    "shell_call_output",
                                                    "apply_patch_call",
                                                    "apply_patch_call_output",
                                                    "mcp_list_tools",
                                                    "mcp_approval_request",
                                                    "mcp_approval_response",
                                                    "mcp_call",
                                                    "tool_search_call",
                                                    "tool_search_output"};
  return std::ranges::find(kTypes, type) != kTypes.end();
}

bool asks_for_compaction(const json::array& items) {
  return std::ranges::any_of(items, [](const json::value& item) {
    return item.is_object() && type_of(item.get_object()) == kCompactionTrigger;
  });
}

json::array said_by_user(const json::array& items) {
  json::array said;
  for (const json::value& item : items) {
    const json::object& object = item.get_object();
    if (type_of(object) == "message" && text_in(object, "role") == "user") said.push_back(item);
  }
  return said;
}

std::string sealed_summary(std::string_view summary) {
  return std::string(kSummary) + std::string(summary);
}

std::optional<std::string> summary_in(std::string_view content) {
  if (!content.starts_with(kSummary)) return std::nullopt;
  return std::string(content.substr(kSummary.size()));
}

bool has_reasoning(const json::array& items) {
  return std::ranges::any_of(items, [](const json::value& item) {
    return item.is_object() && type_of(item.get_object()) == "reasoning";
  });
}

}  // namespace minimill::protocol::responses
