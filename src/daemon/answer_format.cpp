#include "daemon/answer_format.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace minimill::daemon {

Result<AnswerFormat> AnswerFormat::of(const chat::ChatRequest& request) {
  AnswerFormat format;
  format.must_call_ = request.tool_choice == chat::ToolChoice::kRequired ||
                      request.tool_choice == chat::ToolChoice::kNamed;
  if (request.tool_choice == chat::ToolChoice::kNamed) format.tool_ = request.tool_name;
  format.json_ = request.response_format != chat::ResponseFormat::kText;
  const json::value* schema = request.json_schema.if_contains("schema");
  if (request.response_format != chat::ResponseFormat::kJsonSchema || schema == nullptr) {
    return format;
  }
  if (!schema->is_object()) return fail_field("response_format", "a schema must be an object");
  Result<lane::JsonSchema> parsed =
      lane::JsonSchema::parse(schema->get_object(), lane::Unknown::kIgnored);
  if (!parsed) {
    return std::unexpected(
        std::move(parsed.error()).with_field("response_format").context("response_format"));
  }
  format.schema_ = std::move(*parsed);
  return format;
}

Result<> AnswerFormat::check(const chat::ChatAnswer& answer) const {
  const auto broken = [&answer](const std::string& what) {
    const bool cut = answer.finish == chat::FinishReason::kLength;
    return fail(ErrorCode::kUpstream,
                fmt::format("the answer is not in the form asked for: {}", what),
                cut ? "it was cut off: allow more tokens" : "ask again, or ask another model");
  };
  const auto is_wanted = [this](const chat::ToolCall& call) {
    return tool_.empty() || call.name == tool_;
  };
  if (must_call_ && std::ranges::none_of(answer.tool_calls, is_wanted)) {
    return broken(tool_.empty() ? "it calls no tool"
                                : fmt::format("it does not call the tool '{}'", tool_));
  }
  if (!json_ || !answer.tool_calls.empty()) return {};
  const Result<json::value> value = parse_json(answer.text);
  if (!value) return broken(value.error().message);
  if (!schema_) return value->is_object() ? Result<>{} : broken("it is no JSON object");
  if (Result<> fits = schema_->validate(*value); !fits) return broken(fits.error().message);
  return {};
}

}  // namespace minimill::daemon
