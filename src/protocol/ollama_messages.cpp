#include "protocol/ollama_messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/json.h"
#include "protocol/function_tools.h"
#include "protocol/request_limits.h"
#include "protocol/utf8.h"

namespace minimill::protocol::ollama {
namespace {

using chat::Message;
using chat::Role;

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

  void answered_by_id(std::string_view id) {
    std::erase_if(open_, [&](const OpenCall& each) { return each.id == id; });
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
  if (!result.call_id.empty()) {
    ids.answered_by_id(result.call_id);
    return result;
  }
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
    move_shown(message.parts, *result);
    message.parts = {std::move(*result)};
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

}  // namespace

Result<> parse_images(const json::array& images, const std::string& path, Message& message) {
  if (images.size() > kMaxParts) {
    return fail_field(path, fmt::format("'{}' has more than {} entries", path, kMaxParts));
  }
  // Elsewhere no protocol can carry them: they would be lost on the way to another backend.
  if (!images.empty() && message.role == Role::kSystem) {
    return fail_field(path, fmt::format("'{}' belongs to no system message", path));
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

Result<> parse_messages(const json::array& messages, chat::RequestParts& request) {
  request.messages.reserve(messages.size());
  CallIds ids;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    Result<Message> message = parse_message(messages[i], fmt::format("messages[{}]", i), ids);
    if (!message) return std::unexpected(std::move(message.error()));
    request.messages.push_back(std::move(*message));
  }
  return {};
}

}  // namespace minimill::protocol::ollama
