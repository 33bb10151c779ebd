#include <algorithm>
#include <array>
#include <utility>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/anthropic_fields.h"
#include "protocol/passthrough.h"

namespace minimill::protocol::anthropic {
namespace {

using chat::ChatRequest;
using chat::Message;
using chat::RequestParts;
using chat::Role;

constexpr std::string_view kJsonOnly =
    "Answer with one JSON object and nothing else: no prose, no code fence.";

std::string_view role_name(Role role) {
  if (role == Role::kSystem) return "system";
  return role == Role::kAssistant ? "assistant" : "user";
}

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
    return {{"type", "tool_use"},
            {"id", call->id},
            {"name", call->name},
            {"input", input_json(call->arguments)}};
  }
  if (const auto* result = std::get_if<chat::ToolResult>(&part)) {
    return {{"type", "tool_result"}, {"tool_use_id", result->call_id}, {"content", result->text}};
  }
  return {{"type", "text"}, {"text", std::get<chat::Text>(part).text}};
}

json::array blocks_json(const Message& message) {
  json::array blocks;
  for (const chat::Part& part : message.parts) {
    const auto* text = std::get_if<chat::Text>(&part);
    if (text != nullptr && text->text.empty()) continue;  // empty text blocks are refused
    blocks.push_back(block_json(part));
  }
  return blocks;
}

void append_paragraph(std::string& text, std::string_view paragraph) {
  if (!text.empty() && !paragraph.empty()) text += "\n\n";
  text += paragraph;
}

/// Whose request it was: only who speaks this protocol knows what its words between the others, its
/// formats and its efforts do here.
enum class From { kAnthropic, kOthers };

/// Anthropic wants the system prompt apart, and users and assistants in turn: neighbours of one
/// role are joined, and what holds nothing is left out.
json::array messages_json(const RequestParts& parts, From from, std::string& system) {
  json::array messages;
  std::string_view last_role;
  for (const Message& message : parts.messages) {
    if (message.role == Role::kSystem && (from == From::kOthers || messages.empty())) {
      append_paragraph(system, message.text());
      continue;
    }
    json::array blocks = blocks_json(message);
    if (blocks.empty()) continue;
    const std::string_view role = role_name(message.role);
    if (role != last_role) messages.push_back({{"role", role}, {"content", json::array{}}});
    last_role = role;
    json::array& joined = messages.back().as_object()["content"].as_array();
    for (json::value& block : blocks) joined.push_back(std::move(block));
  }
  // OpenAI's apps may send nothing but instructions; here somebody has to speak.
  if (messages.empty() && !system.empty()) {
    messages.push_back({{"role", "user"}, {"content", std::exchange(system, {})}});
  }
  return messages;
}

void write_tools(const RequestParts& parts, json::object& body) {
  if (parts.tools.empty()) return;
  json::array tools;
  for (const chat::Tool& tool : parts.tools) {
    json::object schema = tool.parameters;
    if (!schema.contains("type")) schema["type"] = "object";
    tools.push_back(
        {{"name", tool.name}, {"description", tool.description}, {"input_schema", schema}});
  }
  body["tools"] = std::move(tools);
  json::object choice{{"type", "auto"}};
  switch (parts.tool_choice) {
    case chat::ToolChoice::kAuto:
      break;
    case chat::ToolChoice::kNone:
      choice["type"] = "none";
      break;
    case chat::ToolChoice::kRequired:
      choice["type"] = "any";
      break;
    case chat::ToolChoice::kNamed:
      choice = {{"type", "tool"}, {"name", parts.tool_name}};
      break;
  }
  const bool one_at_a_time = !parts.parallel_tool_calls.value_or(true);
  if (one_at_a_time && parts.tool_choice != chat::ToolChoice::kNone) {
    choice["disable_parallel_tool_use"] = true;
  }
  if (one_at_a_time || parts.tool_choice != chat::ToolChoice::kAuto) {
    body["tool_choice"] = std::move(choice);
  }
}

/// Tokens to think with; 0: none. The names are OpenAI's, the sizes of the order Anthropic advises.
std::int64_t thinking_budget(std::string_view effort) {
  if (effort == "low") return 1024;
  if (effort == "medium") return 4096;
  if (effort == "high") return 16'384;
  if (effort == "xhigh") return 32'768;
  return 0;
}

void write_sampling(const RequestParts& parts, From from, json::object& body) {
  const chat::Sampling& sampling = parts.sampling;
  const std::int64_t answer = sampling.max_tokens.value_or(kDefaultMaxTokens);
  const bool free_choice =
      parts.tool_choice == chat::ToolChoice::kAuto || parts.tool_choice == chat::ToolChoice::kNone;
  const bool emulated = from == From::kOthers && free_choice;
  const std::int64_t budget = emulated ? thinking_budget(parts.reasoning_effort) : 0;
  body["max_tokens"] = answer + budget;
  if (!sampling.stop.empty()) {
    json::array stops(sampling.stop.begin(), sampling.stop.end());
    body["stop_sequences"] = std::move(stops);
  }
  if (budget > 0) {  // which excludes the rest
    body["thinking"] = {{"type", "enabled"}, {"budget_tokens", budget}};
    return;
  }
  // OpenAI's temperature goes to 2, Anthropic's to 1.
  if (sampling.temperature) body["temperature"] = std::min(1.0, *sampling.temperature);
  // 1 is what it is anyway, and newer models refuse it beside a temperature.
  if (sampling.top_p && *sampling.top_p < 1) body["top_p"] = *sampling.top_p;
  if (sampling.top_k) body["top_k"] = *sampling.top_k;
}

/// Other protocols' response_format: the wish is put into words, the schema beside it.
void ask_for_json(const RequestParts& parts, std::string& system) {
  if (parts.response_format == chat::ResponseFormat::kText) return;
  append_paragraph(system, kJsonOnly);
  const json::value* schema = parts.json_schema.if_contains("schema");
  if (schema != nullptr) system += "\nIt must fit this JSON Schema: " + json::serialize(*schema);
}

/// Anthropic's own: {"format": {…}, "effort": …}.
json::object output_config(const RequestParts& parts) {
  json::object config;
  const json::value* schema = parts.json_schema.if_contains("schema");
  if (parts.response_format == chat::ResponseFormat::kJsonSchema && schema != nullptr) {
    config["format"] = {{"type", "json_schema"}, {"schema", *schema}};
  }
  if (!parts.reasoning_effort.empty()) config["effort"] = parts.reasoning_effort;
  return config;
}

json::object parts_json(const RequestParts& parts, From from) {
  std::string system;
  json::object body;
  body["messages"] = messages_json(parts, from, system);
  if (from == From::kOthers) {
    ask_for_json(parts, system);
  } else if (json::object config = output_config(parts); !config.empty()) {
    body["output_config"] = std::move(config);
  }
  if (!system.empty()) body["system"] = system;
  write_sampling(parts, from, body);
  write_tools(parts, body);
  return body;
}

/// An edited request that came in this protocol.
json::object merged_json(const ChatRequest& request) {
  static constexpr std::array<std::string_view, 1> kOurs{"stream"};
  const json::object& arrived = request.original()->body;
  const json::object before = parts_json(request.parts_before(), From::kAnthropic);
  json::object body =
      merge_edited(arrived, before, parts_json(request.parts(), From::kAnthropic), kOurs);
  // The older name of output_config.format, whose value is in the parts as well.
  const json::value* now = body.if_contains("output_config");
  const json::value* then = arrived.if_contains("output_config");
  if (now != nullptr && (then == nullptr || *now != *then)) body.erase("output_format");
  return body;
}

json::object edited_json(const ChatRequest& request) {
  const chat::OriginalRequest* original = request.original();
  const bool ours = original != nullptr && original->protocol == chat::Protocol::kAnthropic;
  return ours ? merged_json(request) : parts_json(request.parts(), From::kOthers);
}

/// As it arrived, where that is this protocol and nothing has edited it.
bool passes(const ChatRequest& request) {
  const chat::OriginalRequest* untouched = request.untouched();
  return untouched != nullptr && untouched->protocol == chat::Protocol::kAnthropic;
}

}  // namespace

std::string write_messages_request(const ChatRequest& request, std::string_view model,
                                   bool stream) {
  if (passes(request)) {
    static constexpr std::array<std::string_view, 1> kOurs{"stream"};
    return write_passthrough(request, model, kOurs, stream ? R"(,"stream":true)" : "");
  }
  json::object body = edited_json(request);
  body["model"] = model;
  if (stream) body["stream"] = true;
  return json::serialize(body);
}

std::string write_count_request(const ChatRequest& request, std::string_view model) {
  // Of an answer, which there will not be: Anthropic refuses them here.
  static constexpr std::array<std::string_view, 2> kOfAnswers{"stream", "max_tokens"};
  if (passes(request)) return write_passthrough(request, model, kOfAnswers, "");
  json::object body = edited_json(request);
  body["model"] = model;
  for (const std::string_view field : kOfAnswers) body.erase(field);
  return json::serialize(body);
}

}  // namespace minimill::protocol::anthropic
