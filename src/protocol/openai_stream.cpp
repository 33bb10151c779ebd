#include <fmt/format.h>

#include <utility>

#include "base/json.h"
#include "protocol/garbage.h"
#include "protocol/openai.h"
#include "protocol/openai_fields.h"

namespace minimill::protocol::openai {
namespace {

constexpr std::int64_t kMaxToolIndex = 127;

const json::object* object_in(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr ? nullptr : value->if_object();
}

std::string_view text_in(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  return value->get_string();
}

Result<> read_tool_calls(const json::object& delta, std::vector<chat::ChatEvent>& events) {
  const json::value* calls = delta.if_contains("tool_calls");
  if (calls == nullptr || !calls->is_array()) return {};
  for (const json::value& each : calls->get_array()) {
    const json::object* call = each.if_object();
    const json::value* index = call == nullptr ? nullptr : call->if_contains("index");
    json::error_code ec;
    const std::int64_t number =
        index != nullptr && index->is_number() ? index->to_number<std::int64_t>(ec) : 0;
    if (call == nullptr || ec || number < 0 || number > kMaxToolIndex) {
      return fail(ErrorCode::kUpstream, "a tool call with an impossible index");
    }
    chat::ToolCallDelta piece{.index = number, .id = std::string(text_in(*call, "id")), .name = {}, .arguments = {}};
    if (const json::object* function = object_in(*call, "function")) {
      piece.name = text_in(*function, "name");
      piece.arguments = text_in(*function, "arguments");
    }
    events.emplace_back(std::move(piece));
  }
  return {};
}

Result<> read_choice(const json::object& choice, std::vector<chat::ChatEvent>& events) {
  if (const json::object* delta = object_in(choice, "delta")) {
    std::string_view reasoning = text_in(*delta, "reasoning_content");
    if (reasoning.empty()) reasoning = text_in(*delta, "reasoning");
    if (!reasoning.empty()) events.emplace_back(chat::ReasoningDelta{std::string(reasoning)});
    if (const std::string_view text = text_in(*delta, "content"); !text.empty()) {
      events.emplace_back(chat::TextDelta{std::string(text)});
    }
    if (Result<> read = read_tool_calls(*delta, events); !read) return read;
  }
  if (const std::string_view finish = text_in(choice, "finish_reason"); !finish.empty()) {
    events.emplace_back(chat::Finish{finish_reason(finish)});
  }
  return {};
}

}  // namespace

Result<> StreamReader::read(std::string_view data, std::vector<chat::ChatEvent>& events) {
  if (data == "[DONE]") {
    done_ = true;
    return {};
  }
  const Result<json::object> chunk = parse_json_object(data);
  if (!chunk) return garbage("a chat completion chunk", data);
  if (const json::value* error = chunk->if_contains("error"); error != nullptr && !error->is_null()) {
    const std::string_view message =
        error->is_object() ? text_in(error->get_object(), "message") : std::string_view{};
    return fail(ErrorCode::kUpstream,
                fmt::format("the backend broke off: {}", message.empty() ? "no reason given" : message));
  }
  if (const std::string_view model = text_in(*chunk, "model"); !model.empty()) model_ = model;
  const json::value* choices = chunk->if_contains("choices");
  const json::object* usage = object_in(*chunk, "usage");
  if ((choices == nullptr || !choices->is_array()) && usage == nullptr) {
    return garbage("a chat completion chunk", data);
  }
  if (choices != nullptr && choices->is_array()) {
    for (const json::value& each : choices->get_array()) {
      if (!each.is_object()) return garbage("a chat completion chunk", data);
      if (Result<> read = read_choice(each.get_object(), events); !read) return read;
    }
  }
  if (usage != nullptr) events.emplace_back(chat::UsageReport{usage_of(*usage)});
  return {};
}

StreamWriter::StreamWriter(std::string_view id, std::string_view model, std::int64_t created_s,
                           bool include_usage)
    : include_usage_(include_usage) {
  head_ = R"(data: {"id":)";
  append_json_string(head_, id);
  fmt::format_to(std::back_inserter(head_),
                 R"(,"object":"chat.completion.chunk","created":{},"model":)", created_s);
  append_json_string(head_, model);
}

void StreamWriter::open_chunk(std::string& out) const {
  out += head_;
  out += R"(,"choices":[{"index":0,"delta":{)";
}

void StreamWriter::write(const chat::ChatEvent& event, std::string& out) {
  constexpr std::string_view kEnd = "},\"finish_reason\":null}]}\n\n";
  if (const auto* report = std::get_if<chat::UsageReport>(&event)) {
    usage_ = report->usage;
    return;
  }
  open_chunk(out);
  if (!std::exchange(role_sent_, true)) {
    out += R"("role":"assistant")";
    if (!std::holds_alternative<chat::Finish>(event)) out += ',';
  }
  if (const auto* text = std::get_if<chat::TextDelta>(&event)) {
    out += R"("content":)";
    append_json_string(out, text->text);
    out += kEnd;
  } else if (const auto* reasoning = std::get_if<chat::ReasoningDelta>(&event)) {
    out += R"("reasoning_content":)";
    append_json_string(out, reasoning->text);
    out += kEnd;
  } else if (const auto* call = std::get_if<chat::ToolCallDelta>(&event)) {
    fmt::format_to(std::back_inserter(out), R"("tool_calls":[{{"index":{})", call->index);
    if (!call->id.empty()) {
      out += R"(,"id":)";
      append_json_string(out, call->id);
      out += R"(,"type":"function")";
    }
    out += R"(,"function":{)";
    if (!call->name.empty()) {
      out += R"("name":)";
      append_json_string(out, call->name);
      out += ',';
    }
    out += R"("arguments":)";
    append_json_string(out, call->arguments);
    out += "}}]";
    out += kEnd;
  } else if (const auto* finish = std::get_if<chat::Finish>(&event)) {
    out += R"(},"finish_reason":")";
    out += finish_name(finish->reason);
    out += "\"}]}\n\n";
  }
}

void StreamWriter::finish(std::string& out) {
  if (include_usage_) {
    out += head_;
    out += R"(,"choices":[],"usage":)";
    out += json::serialize(usage_json(usage_));
    out += "}\n\n";
  }
  out += "data: [DONE]\n\n";
}

}  // namespace minimill::protocol::openai
