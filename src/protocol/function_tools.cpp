#include "protocol/function_tools.h"

#include <fmt/format.h>

#include <utility>

#include "base/json.h"
#include "protocol/request_limits.h"

namespace minimill::protocol {
namespace {

Result<chat::Tool> parse_tool(const json::value& value, const std::string& path) {
  const json::object* tool = value.if_object();
  if (tool == nullptr) return fail_field(path, fmt::format("'{}' must be an object", path));
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

}  // namespace

Result<> parse_function_tools(const json::array& tools, chat::RequestParts& request) {
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

}  // namespace minimill::protocol
