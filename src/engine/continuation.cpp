#include "engine/continuation.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <variant>

#include "base/json.h"

namespace minimill::engine {
namespace {

/// OpenAI's two names for the same limit, the newer first; llama-server has one more.
constexpr std::string_view kLimits[] = {"max_completion_tokens", "max_tokens", "n_predict"};

struct Note {
  SentSoFar& sent;

  void operator()(const chat::TextDelta& delta) const {
    sent.text += delta.text;
    ++sent.pieces;
  }
  void operator()(const chat::ReasoningDelta& delta) const {
    sent.reasoning += delta.text;
    ++sent.pieces;
  }
  void operator()(const chat::ToolCallDelta&) const { sent.tool_calls = true; }
  void operator()(const chat::UsageReport&) const {}
  void operator()(const chat::Finish&) const { sent.finished = true; }
  void operator()(const chat::Frame&) const {}
};

std::string string_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

/// An app that began the assistant's message itself gets that beginning back as the stream's first
/// piece, so what was sent may contain it already.
std::string whole(std::string begun, const std::string& sent) {
  return sent.starts_with(begun) ? sent : std::move(begun) + sent;
}

std::optional<std::int64_t> limit_at(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  return value->get_int64();
}

}  // namespace

void note(SentSoFar& sent, const chat::ChatEvent& event) { std::visit(Note{sent}, event); }

Result<std::string> continue_body(std::string_view body, const SentSoFar& sent) {
  if (sent.tool_calls) {
    return fail(ErrorCode::kUnavailable, "the answer broke off in the middle of a tool call",
                "send the request again");
  }
  Result<json::object> object = parse_json_object(body);
  if (!object) return std::unexpected(std::move(object.error()));
  json::value* messages = object->if_contains("messages");
  if (messages == nullptr || !messages->is_array()) {
    return fail(ErrorCode::kInternal, "a chat request without messages");
  }

  json::array& list = messages->get_array();
  json::object begun;
  if (!list.empty() && list.back().is_object() &&
      string_at(list.back().get_object(), "role") == "assistant") {
    begun = list.back().get_object();
    list.pop_back();
  }
  json::object message;
  message["role"] = "assistant";
  message["content"] = whole(string_at(begun, "content"), sent.text);
  const std::string reasoning = whole(string_at(begun, "reasoning_content"), sent.reasoning);
  if (!reasoning.empty()) message["reasoning_content"] = reasoning;
  list.push_back(std::move(message));

  (*object)["continue_final_message"] = true;
  (*object)["add_generation_prompt"] = false;
  for (const std::string_view key : kLimits) {
    const std::optional<std::int64_t> limit = limit_at(*object, key);
    if (limit && *limit > 0) (*object)[key] = std::max<std::int64_t>(*limit - sent.pieces, 1);
  }
  return json::serialize(*object);
}

std::int64_t tokens_left(std::string_view body, const SentSoFar& sent) {
  const Result<json::object> object = parse_json_object(body);
  if (!object) return -1;
  for (const std::string_view key : kLimits) {
    const std::optional<std::int64_t> limit = limit_at(*object, key);
    if (limit && *limit > 0) return std::max<std::int64_t>(*limit - sent.pieces, 0);
  }
  return -1;
}

chat::Usage whole_usage(chat::Usage last_part, std::int64_t pieces_before) {
  const std::int64_t moved = std::min(pieces_before, last_part.prompt_tokens);
  last_part.prompt_tokens -= moved;
  last_part.completion_tokens += moved;
  last_part.cached_prompt_tokens =
      std::min(last_part.cached_prompt_tokens, last_part.prompt_tokens);
  return last_part;
}

}  // namespace minimill::engine
