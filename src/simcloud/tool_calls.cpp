#include "simcloud/tool_calls.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <set>
#include <utility>

#include "simcloud/sample_json.h"

namespace minimill::simcloud {
namespace {

/// The JSON object that follows the tool's name in the text, as it stands there.
std::optional<std::string> arguments_after(std::string_view text, std::string_view name) {
  for (std::size_t at = text.find(name); at != text.npos; at = text.find(name, at + 1)) {
    std::string_view rest = text.substr(at + name.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    if (!rest.starts_with('{')) continue;
    boost::json::stream_parser parser;
    boost::system::error_code ec;
    const std::size_t read = parser.write_some(rest.data(), rest.size(), ec);
    if (!ec && parser.done()) return std::string(rest.substr(0, read));
  }
  return std::nullopt;
}

bool gives_arguments(const chat::ChatRequest& request, std::string_view text) {
  return std::ranges::any_of(request.tools(), [&](const chat::Tool& tool) {
    return arguments_after(text, tool.name).has_value();
  });
}

/// What came after the user's last words, or after those that give tools' arguments: apps put
/// reminders of their own in between. Anthropic's tool results are the user's messages, too.
std::span<const chat::Message> since_user_spoke(const chat::ChatRequest& request,
                                                std::string& said) {
  std::size_t begin = 0;
  for (std::size_t i = request.messages().size(); i > 0; --i) {
    const chat::Message& message = request.messages()[i - 1];
    const std::string text = message.text();
    if (message.role != chat::Role::kUser || text.empty()) continue;
    const bool plan = gives_arguments(request, text);
    if (begin == 0 || plan) {
      said = text;
      begin = i;
    }
    if (plan) break;
  }
  return begin == 0 ? std::span<const chat::Message>{}
                    : std::span(request.messages()).subspan(begin);
}

/// Where the text names the tool; npos where it does not.
std::size_t place_of(const std::string& text, std::string name) {
  const std::size_t exact = text.find(name);
  if (exact != std::string::npos) return exact;
  std::ranges::replace(name, '_', ' ');
  std::ranges::replace(name, '-', ' ');
  return text.find(name);
}

chat::ToolCall call_of(const chat::Tool& tool, std::string_view said, std::size_t number) {
  std::optional<std::string> arguments = arguments_after(said, tool.name);
  if (!arguments) arguments = boost::json::serialize(sample_of(tool.parameters));
  return {.id = fmt::format("call_sim_{}", number),
          .name = tool.name,
          .arguments = std::move(*arguments)};
}

/// The tools called already. Some apps write their history as text: what the assistant names there
/// is a call, too.
std::set<std::string> called_in(std::span<const chat::Message> messages,
                                const chat::ChatRequest& request) {
  std::set<std::string> called;
  for (const chat::Message& message : messages) {
    for (const chat::Part& part : message.parts) {
      if (const auto* call = std::get_if<chat::ToolCall>(&part)) called.insert(call->name);
    }
    if (message.role != chat::Role::kAssistant) continue;
    for (const chat::Tool& tool : request.tools()) {
      if (message.text().contains(tool.name)) called.insert(tool.name);
    }
  }
  return called;
}

}  // namespace

std::vector<chat::ToolCall> calls_for(const chat::ChatRequest& request) {
  if (request.tools().empty() || request.tool_choice() == chat::ToolChoice::kNone) return {};
  std::string said;
  const std::set<std::string> called = called_in(since_user_spoke(request, said), request);
  if (request.tool_choice() == chat::ToolChoice::kNamed) {
    const auto named = std::ranges::find(request.tools(), request.tool_name(), &chat::Tool::name);
    if (named == request.tools().end()) return {};
    return {call_of(*named, said, called.size())};
  }
  std::vector<std::pair<std::size_t, const chat::Tool*>> wanted;
  const bool plan = gives_arguments(request, said);
  for (const chat::Tool& tool : request.tools()) {
    if (plan && !arguments_after(said, tool.name)) continue;
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
    calls.push_back(call_of(*tool, said, called.size() + calls.size()));
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
