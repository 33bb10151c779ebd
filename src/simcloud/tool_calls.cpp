#include "simcloud/tool_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <set>
#include <utility>

#include "simcloud/sample_json.h"

namespace minimill::simcloud {
namespace {

/// What came after the user's last words; Anthropic's tool results are the user's messages, too.
std::span<const chat::Message> since_user_spoke(const chat::ChatRequest& request,
                                                std::string& said) {
  for (std::size_t i = request.messages().size(); i > 0; --i) {
    const chat::Message& message = request.messages()[i - 1];
    const std::string text = message.text();
    if (message.role != chat::Role::kUser || text.empty()) continue;
    said = text;
    return std::span(request.messages()).subspan(i);
  }
  return {};
}

/// Where the text names the tool; npos where it does not.
std::size_t place_of(const std::string& text, std::string name) {
  const std::size_t exact = text.find(name);
  if (exact != std::string::npos) return exact;
  std::ranges::replace(name, '_', ' ');
  std::ranges::replace(name, '-', ' ');
  return text.find(name);
}

chat::ToolCall call_of(const chat::Tool& tool, std::size_t number) {
  return {.id = fmt::format("call_sim_{}", number),
          .name = tool.name,
          .arguments = boost::json::serialize(sample_of(tool.parameters))};
}

}  // namespace

std::vector<chat::ToolCall> calls_for(const chat::ChatRequest& request) {
  if (request.tools().empty() || request.tool_choice() == chat::ToolChoice::kNone) return {};
  std::string said;
  std::set<std::string> called;
  for (const chat::Message& message : since_user_spoke(request, said)) {
    for (const chat::Part& part : message.parts) {
      if (const auto* call = std::get_if<chat::ToolCall>(&part)) called.insert(call->name);
    }
  }
  if (request.tool_choice() == chat::ToolChoice::kNamed) {
    const auto named = std::ranges::find(request.tools(), request.tool_name(), &chat::Tool::name);
    if (named == request.tools().end()) return {};
    return {call_of(*named, called.size())};
  }
  std::vector<std::pair<std::size_t, const chat::Tool*>> wanted;
  for (const chat::Tool& tool : request.tools()) {
    const std::size_t place = place_of(said, tool.name);
    if (place != std::string::npos && !called.contains(tool.name))
      wanted.emplace_back(place, &tool);
  }
  std::ranges::sort(wanted);
  if (wanted.empty() && request.tool_choice() == chat::ToolChoice::kRequired) {
    wanted.emplace_back(0, &request.tools().front());
  }
  const bool together =
      said.find("parallel") != std::string::npos && request.parallel_tool_calls().value_or(true);
  if (!together && wanted.size() > 1) wanted.resize(1);
  std::vector<chat::ToolCall> calls;
  for (const auto& [place, tool] : wanted) {
    calls.push_back(call_of(*tool, called.size() + calls.size()));
  }
  return calls;
}

std::optional<std::string> what_tools_said(const chat::ChatRequest& request) {
  std::string said;
  std::optional<std::string> results;
  for (const chat::Message& message : since_user_spoke(request, said)) {
    for (const chat::Part& part : message.parts) {
      const auto* result = std::get_if<chat::ToolResult>(&part);
      if (result == nullptr) continue;
      results = results ? *results + "; " + result->text : result->text;
    }
  }
  return results;
}

}  // namespace minimill::simcloud
