#include "protocol/responses_object.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/json.h"
#include "protocol/function_tools.h"
#include "protocol/responses_items.h"
#include "protocol/utf8.h"

namespace minimill::protocol::responses {
namespace {

constexpr std::string_view kIdPrefix = "resp_";

/// OpenAI's own stand-in for a token that could not have come: JSON has no infinity.
constexpr double kImpossible = -9999;

json::object token_json(const chat::TokenLogprob& token) {
  json::array bytes;
  for (const char byte : token.token) bytes.emplace_back(static_cast<unsigned char>(byte));
  return {{"token", token.token},
          {"bytes", std::move(bytes)},
          {"logprob", std::isfinite(token.logprob) ? token.logprob : kImpossible}};
}

json::object usage_json(const chat::Usage& usage) {
  // How many of them were thoughts no backend tells.
  return {{"input_tokens", usage.prompt_tokens},
          {"input_tokens_details",
           {{"cached_tokens", usage.cached_prompt_tokens},
            {"cache_write_tokens", usage.cache_write_5m_tokens + usage.cache_write_1h_tokens}}},
          {"output_tokens", usage.completion_tokens},
          {"output_tokens_details", {{"reasoning_tokens", 0}}},
          {"total_tokens", usage.prompt_tokens + usage.completion_tokens}};
}

/// The codes that OpenAI's clients tell apart in a failed response.
std::string_view error_code(ErrorCode code) {
  switch (code) {
    case ErrorCode::kRateLimited:
      return "rate_limit_exceeded";
    case ErrorCode::kContextExceeded:
      return name(code);
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kTooLarge:
    case ErrorCode::kUnsupported:
      return "invalid_prompt";
    default:
      return "server_error";
  }
}

json::object response(const ResponseHead& head, std::string_view status, json::array output) {
  json::object written{{"id", head.id},
                       {"object", "response"},
                       {"created_at", head.created_s},
                       {"status", status},
                       {"background", false},
                       {"error", nullptr},
                       {"incomplete_details", nullptr},
                       {"model", head.model},
                       {"output", std::move(output)},
                       {"usage", nullptr}};
  written.insert(head.echo.begin(), head.echo.end());
  return written;
}

}  // namespace

std::string_view final_status(chat::FinishReason finish) {
  const bool cut =
      finish == chat::FinishReason::kLength || finish == chat::FinishReason::kContentFilter;
  return cut ? kIncomplete : kCompleted;
}

std::string item_id(std::string_view prefix, std::string_view response_id, std::size_t index) {
  if (response_id.starts_with(kIdPrefix)) response_id.remove_prefix(kIdPrefix.size());
  return fmt::format("{}_{}_{}", prefix, response_id, index);
}

json::array logprobs_json(const std::vector<chat::TokenLogprob>& logprobs) {
  json::array written;
  for (const chat::TokenLogprob& each : logprobs) {
    json::array top;
    for (const chat::TokenLogprob& other : each.top) top.emplace_back(token_json(other));
    json::object token = token_json(each);
    token["top_logprobs"] = std::move(top);
    written.emplace_back(std::move(token));
  }
  return written;
}

json::object text_part(std::string_view text, const std::vector<chat::TokenLogprob>& logprobs) {
  return {{"type", "output_text"},
          {"annotations", json::array()},
          {"logprobs", logprobs_json(logprobs)},
          {"text", text}};
}

json::object summary_part(std::string_view text) {
  return {{"type", "summary_text"}, {"text", text}};
}

json::object reasoning_item(std::string_view id, json::array summary, std::string_view status) {
  return {{"id", id}, {"type", "reasoning"}, {"status", status}, {"summary", std::move(summary)}};
}

json::object message_item(std::string_view id, json::array content, std::string_view status) {
  return {{"id", id},
          {"type", "message"},
          {"status", status},
          {"role", "assistant"},
          {"content", std::move(content)}};
}

json::object call_item(std::string_view id, const chat::ToolCall& call, std::string_view status,
                       bool custom) {
  if (custom) {
    return {{"id", id},          {"type", "custom_tool_call"},
            {"status", status},  {"call_id", call.id},
            {"name", call.name}, {"input", free_text(call.arguments)}};
  }
  return {{"id", id},           {"type", "function_call"}, {"status", status},
          {"call_id", call.id}, {"name", call.name},       {"arguments", call.arguments}};
}

json::object compaction_item(std::string_view id, std::string_view summary) {
  return {{"id", id}, {"type", "compaction"}, {"encrypted_content", sealed_summary(summary)}};
}

bool is_custom_tool(const ResponseHead& head, std::string_view name) {
  return std::ranges::find(head.custom_tools, name) != head.custom_tools.end();
}

json::object started_response(const ResponseHead& head) { return response(head, kInProgress, {}); }

json::object ended_response(const ResponseHead& head, json::array output, chat::FinishReason finish,
                            const chat::Usage& usage) {
  const std::string_view status = final_status(finish);
  json::object written = response(head, status, std::move(output));
  written["usage"] = usage_json(usage);
  if (status == kIncomplete) {
    const bool length = finish == chat::FinishReason::kLength;
    written["incomplete_details"] = {{"reason", length ? "max_output_tokens" : "content_filter"}};
  }
  return written;
}

json::object failed_response(const ResponseHead& head, json::array output, const Error& error) {
  json::object written = response(head, kFailed, std::move(output));
  written["error"] = {{"code", error_code(error.code)}, {"message", valid_utf8(error.to_string())}};
  return written;
}

}  // namespace minimill::protocol::responses
