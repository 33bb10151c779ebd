#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <variant>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/anthropic_fields.h"
#include "protocol/files.h"
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

json::object source_json(const std::string& url) {
  const std::optional<Base64Data> data = base64_data(url);
  if (!data) return {{"type", "url"}, {"url", url}};
  return {{"type", "base64"}, {"media_type", data->media_type}, {"data", data->data}};
}

json::object block_json(const chat::Image& image) {
  return {{"type", "image"}, {"source", source_json(image.url)}};
}

json::object block_json(const chat::File& file) {
  json::object block{{"type", "document"}, {"source", source_json(file.url)}};
  if (!file.name.empty()) block["title"] = file.name;
  return block;
}

/// Another protocol's has been refused or named before anything is written.
json::object block_json(const chat::Foreign& foreign) {
  return foreign.protocol == chat::Protocol::kAnthropic ? foreign.block : json::object();
}

json::object block_json(const chat::Text& text) { return {{"type", "text"}, {"text", text.text}}; }

/// Others' ids may have any character; Anthropic's are of letters, digits, "_" and "-".
std::string id_of(std::string id) {
  for (char& c : id) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-';
    if (!fine) c = '_';
  }
  return id;
}

json::object block_json(const chat::ToolCall& call) {
  return {{"type", "tool_use"},
          {"id", id_of(call.id)},
          {"name", call.name},
          {"input", input_json(call.arguments)}};
}

json::object block_json(const chat::ToolResult& result) {
  json::object block{{"type", "tool_result"}, {"tool_use_id", id_of(result.call_id)}};
  if (result.shown.empty()) {
    block["content"] = result.text;
    return block;
  }
  json::array content;
  if (!is_blank(result.text)) content.push_back(block_json(chat::Text{result.text}));
  for (const chat::ToolResult::Shown& each : result.shown) {
    json::object shown = std::visit([](const auto& part) { return block_json(part); }, each);
    if (!shown.empty()) content.push_back(std::move(shown));
  }
  block["content"] = std::move(content);
  return block;
}

json::array blocks_json(const Message& message) {
  json::array blocks;
  for (const chat::Part& part : message.parts) {
    const auto* text = std::get_if<chat::Text>(&part);
    if (text != nullptr && is_blank(text->text)) continue;  // refused
    json::object block = std::visit([](const auto& each) { return block_json(each); }, part);
    if (!block.empty()) blocks.push_back(std::move(block));
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

/// A beginning of the answer that ends in white space is refused.
void trim_end(json::array& blocks) {
  json::value* text = blocks.back().as_object().if_contains("text");
  if (text == nullptr) return;
  json::string& said = text->as_string();
  const std::size_t last = std::string_view(said).find_last_not_of(kWhiteSpace);
  said.resize(last == std::string_view::npos ? 0 : last + 1);
}

/// Anthropic wants the system prompt apart, and users and assistants in turn: neighbours of one
/// role are joined, and what holds nothing is left out.
json::array messages_json(const RequestParts& parts, From from, std::string& system) {
  json::array messages;
  std::string_view last_role;
  for (const Message& message : parts.messages) {
    if (message.role == Role::kSystem && (from == From::kOthers || messages.empty())) {
      if (const std::string said = message.text(); !is_blank(said)) append_paragraph(system, said);
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
  if (last_role == "assistant") trim_end(messages.back().as_object()["content"].as_array());
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

/// Claude wants its turn to begin with its thoughts where it is to think on after a tool has
/// answered, and the thoughts of others, or of a turn that was edited, are not there.
bool goes_on_after_tools(const RequestParts& parts) {
  if (parts.messages.empty()) return false;
  const auto is_result = [](const chat::Part& part) {
    return std::holds_alternative<chat::ToolResult>(part);
  };
  return std::ranges::any_of(parts.messages.back().parts, is_result);
}

void write_sampling(const RequestParts& parts, From from, json::object& body) {
  const chat::Sampling& sampling = parts.sampling;
  const std::int64_t answer = sampling.max_tokens.value_or(kDefaultMaxTokens);
  const bool free_choice =
      parts.tool_choice == chat::ToolChoice::kAuto || parts.tool_choice == chat::ToolChoice::kNone;
  const bool emulated = from == From::kOthers && free_choice && !goes_on_after_tools(parts);
  const std::int64_t budget = emulated ? thinking_budget(parts.reasoning_effort) : 0;
  body["max_tokens"] = answer + budget;
  json::array stops;
  for (const std::string& stop : sampling.stop) {
    if (from == From::kAnthropic || !is_blank(stop)) stops.emplace_back(stop);
  }
  if (!stops.empty()) body["stop_sequences"] = std::move(stops);
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
  if (body.at("messages") != arrived.at("messages") && goes_on_after_tools(request.parts())) {
    body.erase("thinking");
  }
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
