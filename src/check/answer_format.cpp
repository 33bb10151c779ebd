#include "check/answer_format.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"

namespace minimill::check {

Result<AnswerFormat> AnswerFormat::of(const chat::ChatRequest& request) {
  AnswerFormat format;
  format.must_call_ = request.tool_choice() == chat::ToolChoice::kRequired ||
                      request.tool_choice() == chat::ToolChoice::kNamed;
  if (request.tool_choice() == chat::ToolChoice::kNamed) format.tool_ = request.tool_name();
  for (const chat::Tool& tool : request.tools()) format.tools_.push_back(tool.name);
  format.json_ = request.response_format() != chat::ResponseFormat::kText;
  const json::value* schema = request.json_schema().if_contains("schema");
  if (request.response_format() != chat::ResponseFormat::kJsonSchema || schema == nullptr) {
    return format;
  }
  if (!schema->is_object()) return fail_field("response_format", "a schema must be an object");
  Result<check::JsonSchema> parsed =
      check::JsonSchema::parse(schema->get_object(), check::Unknown::kIgnored);
  if (!parsed) {
    return std::unexpected(
        std::move(parsed.error()).with_field("response_format").context("response_format"));
  }
  format.schema_ = std::move(*parsed);
  return format;
}

Result<> AnswerFormat::check(const chat::ChatAnswer& answer) const {
  // The message goes into the ledger, where no word of an answer belongs; the hint goes to the app.
  const auto broken = [&answer](const std::string& what, std::string_view detail = {}) {
    const bool cut = answer.finish() == chat::FinishReason::kLength;
    std::string hint(detail);
    if (!hint.empty()) hint += "; ";
    hint += cut ? "it was cut off: allow more tokens" : "ask again, or ask another model";
    return fail(ErrorCode::kUpstream,
                fmt::format("the answer is not in the form asked for: {}", what), std::move(hint));
  };
  const auto is_wanted = [this](const chat::ToolCall& call) {
    return tool_.empty() || call.name == tool_;
  };
  if (must_call_ && std::ranges::none_of(answer.tool_calls(), is_wanted)) {
    return broken(tool_.empty() ? "it calls no tool"
                                : fmt::format("it does not call the tool '{}'", tool_));
  }
  for (const chat::ToolCall& call : answer.tool_calls()) {
    if (std::ranges::find(tools_, call.name) == tools_.end()) {
      return broken("it calls a tool that there is not");
    }
    const Result<json::value> arguments =
        parse_json(call.arguments.empty() ? "{}" : call.arguments);
    if (!arguments || !arguments->is_object())
      return broken("a tool's arguments are no JSON object");
  }
  if (!json_ || !answer.tool_calls().empty()) return {};
  const Result<json::value> value = parse_json(answer.text());
  if (!value) return broken("it is no JSON", value.error().message);
  if (!schema_) return value->is_object() ? Result<>{} : broken("it is no JSON object");
  if (Result<> fits = schema_->validate(*value); !fits)
    return broken("it does not fit the schema", fits.error().message);
  return {};
}

}  // namespace minimill::check
