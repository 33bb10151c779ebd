#include "daemon/answer_format.h"

#include <fmt/format.h>

#include "base/json.h"

namespace minimill::daemon {

Result<AnswerFormat> AnswerFormat::of(const chat::ChatRequest& request) {
  AnswerFormat format;
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
  if (!json_ || !answer.tool_calls.empty()) return {};
  const auto broken = [&answer](const std::string& what) {
    const bool cut = answer.finish == chat::FinishReason::kLength;
    return fail(ErrorCode::kUpstream,
                fmt::format("the answer is not in the form asked for: {}", what),
                cut ? "it was cut off: allow more tokens" : "ask again, or ask another model");
  };
  const Result<json::value> value = parse_json(answer.text);
  if (!value) return broken(value.error().message);
  if (!schema_) return value->is_object() ? Result<>{} : broken("it is no JSON object");
  if (Result<> fits = schema_->validate(*value); !fits) return broken(fits.error().message);
  return {};
}

}  // namespace minimill::daemon
