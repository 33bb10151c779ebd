#include "protocol/function_tools.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "base/json.h"
#include "protocol/answer_fields.h"
#include "protocol/request_limits.h"

namespace minimill::protocol {
namespace {

Result<std::optional<chat::Tool>> parse_custom(Fields& fields) {
  const json::object* custom = fields.optional_object("custom");
  if (custom == nullptr) fields.reject("custom", "is required");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  Fields inner(*custom, fields.path("custom."));
  std::string name = inner.required_string("name");
  std::string description = inner.string_or("description", "");
  if (!inner.ok()) return std::unexpected(std::move(inner).error());
  return custom_tool(std::move(name), std::move(description), *custom);
}

/// nullopt for a kind of tool that is a provider's own.
Result<std::optional<chat::Tool>> parse_tool(const json::value& value, const std::string& path) {
  const json::object* tool = value.if_object();
  if (tool == nullptr) return fail_field(path, fmt::format("'{}' must be an object", path));
  Fields fields(*tool, path + ".");
  const std::string type = fields.string_or("type", "function");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  if (type == "custom") return parse_custom(fields);
  if (type != "function") return std::nullopt;
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
  if (inner.find("strict") != nullptr) parsed.strict = inner.bool_or("strict", false);
  if (!inner.ok()) return std::unexpected(std::move(inner).error());
  return parsed;
}

}  // namespace

Result<> parse_function_tools(const json::array& tools, chat::RequestParts& request) {
  if (tools.size() > kMaxTools) {
    return fail_field("tools", fmt::format("'tools' has more than {} entries", kMaxTools));
  }
  for (std::size_t i = 0; i < tools.size(); ++i) {
    Result<std::optional<chat::Tool>> tool = parse_tool(tools[i], fmt::format("tools[{}]", i));
    if (!tool) return std::unexpected(std::move(tool.error()));
    if (*tool) request.tools.push_back(std::move(**tool));
  }
  return {};
}

Result<> allow_tools(const json::object& allowed, chat::RequestParts& request) {
  Fields fields(allowed, "tool_choice.");
  const std::string mode = fields.string_or("mode", "auto");
  if (mode != "auto" && mode != "required") fields.reject("mode", "must be auto or required");
  const json::array* names = fields.optional_array("tools");
  if (names == nullptr) fields.reject("tools", "is required");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  const auto is_allowed = [names](const chat::Tool& tool) {
    return std::ranges::any_of(*names, [&tool](const json::value& each) {
      const json::object* named = each.if_object();
      if (named == nullptr) return false;
      // Flat in Responses, wrapped in chat completions.
      const json::object* inner = object_in(*named, tool.custom ? "custom" : "function");
      return text_in(inner == nullptr ? *named : *inner, "name") == tool.name;
    });
  };
  std::erase_if(request.tools, [&](const chat::Tool& tool) { return !is_allowed(tool); });
  if (mode == "required") request.tool_choice = chat::ToolChoice::kRequired;
  return {};
}

chat::Tool custom_tool(std::string name, std::string description, const json::object& definition) {
  // A grammar that the text has to follow is one for the model to read here.
  const json::object* format = object_in(definition, "format");
  if (format != nullptr && text_in(*format, "type") == "grammar") {
    const json::object* grammar = object_in(*format, "grammar");
    const json::object& told = grammar == nullptr ? *format : *grammar;
    description += fmt::format("\n\nThe input follows this {} grammar:\n{}",
                               text_in(told, "syntax"), text_in(told, "definition"));
  }
  return {.name = std::move(name),
          .description = std::move(description),
          .parameters = {{"type", "object"},
                         {"properties", {{"input", {{"type", "string"}}}}},
                         {"required", json::array{"input"}},
                         {"additionalProperties", false}},
          .strict = std::nullopt,
          .custom = true};
}

std::string free_text_arguments(std::string_view text) {
  std::string out = R"({"input":)";
  append_json_string(out, text);
  return out + '}';
}

std::string free_text(std::string_view arguments) {
  const Result<json::object> object = parse_json_object(arguments);
  const json::value* input = object ? object->if_contains("input") : nullptr;
  if (input == nullptr || !input->is_string()) return std::string(arguments);
  return std::string(input->get_string());
}

void move_shown(std::vector<chat::Part>& parts, chat::ToolResult& result) {
  for (chat::Part& part : parts) {
    if (auto* image = std::get_if<chat::Image>(&part)) {
      result.shown.emplace_back(std::move(*image));
    } else if (auto* file = std::get_if<chat::File>(&part)) {
      result.shown.emplace_back(std::move(*file));
    } else if (auto* foreign = std::get_if<chat::Foreign>(&part)) {
      result.shown.emplace_back(std::move(*foreign));
    }
  }
}

}  // namespace minimill::protocol
