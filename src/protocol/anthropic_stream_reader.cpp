#include <fmt/format.h>

#include <utility>

#include "base/json.h"
#include "protocol/answer_fields.h"
#include "protocol/anthropic.h"
#include "protocol/anthropic_fields.h"
#include "protocol/upstream_text.h"

namespace minimill::protocol::anthropic {
namespace {

/// What an error inside a stream means; the types are Anthropic's own.
Error broken_off(const json::object& data) {
  const json::object* inner = object_in(data, "error");
  const std::string_view type = inner == nullptr ? "" : text_in(*inner, "type");
  const std::string said = error_message(data);
  Error error;
  error.code = type == "overloaded_error"   ? ErrorCode::kUnavailable
               : type == "rate_limit_error" ? ErrorCode::kRateLimited
                                            : ErrorCode::kUpstream;
  error.message = fmt::format("broke off its answer: {}", said.empty() ? one_line(type) : said);
  return error;
}

}  // namespace

Result<> StreamReader::read(std::string_view event, std::string_view data,
                            std::vector<chat::ChatEvent>& events) {
  if (data.find_first_not_of(kWhiteSpace) == std::string_view::npos) return {};
  const Result<json::object> parsed = parse_provider_object(data);
  if (!parsed) return garbage("a message event", data);
  const std::string_view type = text_in(*parsed, "type");
  if (type == "error" || event == "error") return std::unexpected(broken_off(*parsed));
  if (type.empty()) return garbage("a message event", data);
  if (type == "message_start") {
    read_start(*parsed, events);
  } else if (type == "message_stop") {
    done_ = true;
  } else if (finished_) {
    return {};  // what comes after the end belongs to no answer
  } else if (type == "content_block_start") {
    return read_block_start(*parsed, events);
  } else if (type == "content_block_delta") {
    const json::object* delta = object_in(*parsed, "delta");
    if (delta == nullptr) return garbage("a message event", data);
    read_block_delta(*delta, events);
  } else if (type == "content_block_stop") {
    end_tool(events);
  } else if (type == "message_delta") {
    read_message_delta(*parsed, events);
  }
  return {};  // ping, and what is yet to be invented
}

void StreamReader::read_start(const json::object& data, std::vector<chat::ChatEvent>& events) {
  const json::object* message = object_in(data, "message");
  if (message == nullptr) return;
  model_ = text_in(*message, "model");
  const json::object* usage = object_in(*message, "usage");
  if (usage == nullptr) return;
  add_usage(*usage, usage_);
  if (usage_ != chat::Usage{}) events.emplace_back(chat::UsageReport{usage_});
}

Result<> StreamReader::read_block_start(const json::object& data,
                                        std::vector<chat::ChatEvent>& events) {
  end_tool(events);
  const json::object* block = object_in(data, "content_block");
  if (block == nullptr) return {};
  if (const std::string_view text = text_in(*block, "text"); !text.empty()) {
    events.emplace_back(chat::TextDelta{std::string(text)});
  }
  if (text_in(*block, "type") != "tool_use") return {};
  if (tool_calls_ >= kMaxToolCalls) {
    return fail(ErrorCode::kUpstream, "more tool calls than any answer has");
  }
  chat::ToolCallDelta call;
  call.index = tool_calls_++;
  call.id = text_in(*block, "id");
  call.name = text_in(*block, "name");
  // Anthropic's own input is {} here and comes in pieces; compatible servers may send it at once.
  const json::object* input = object_in(*block, "input");
  if (input != nullptr && !input->empty()) call.arguments = json::serialize(*input);
  tool_ = call.arguments.empty() ? Tool::kWithoutArguments : Tool::kWithArguments;
  events.emplace_back(std::move(call));
  return {};
}

void StreamReader::read_block_delta(const json::object& delta,
                                    std::vector<chat::ChatEvent>& events) {
  const std::string_view type = text_in(delta, "type");
  if (const std::string_view text = text_in(delta, "text"); type == "text_delta" && !text.empty()) {
    events.emplace_back(chat::TextDelta{std::string(text)});
  }
  if (const std::string_view text = text_in(delta, "thinking");
      type == "thinking_delta" && !text.empty()) {
    events.emplace_back(chat::ReasoningDelta{std::string(text)});
  }
  // Outside a tool_use block it is the input of a tool that the provider runs itself.
  if (const std::string_view text = text_in(delta, "partial_json");
      type == "input_json_delta" && !text.empty() && tool_ != Tool::kNone) {
    append_arguments(std::string(text), events);
  }
}

void StreamReader::append_arguments(std::string text, std::vector<chat::ChatEvent>& events) {
  tool_ = Tool::kWithArguments;
  chat::ToolCallDelta piece;
  piece.index = tool_calls_ - 1;
  piece.arguments = std::move(text);
  events.emplace_back(std::move(piece));
}

/// A call without arguments is streamed as no text at all, which is no JSON.
void StreamReader::end_tool(std::vector<chat::ChatEvent>& events) {
  if (tool_ == Tool::kWithoutArguments) append_arguments("{}", events);
  tool_ = Tool::kNone;
}

void StreamReader::read_message_delta(const json::object& data,
                                      std::vector<chat::ChatEvent>& events) {
  if (const json::object* usage = object_in(data, "usage")) add_usage(*usage, usage_);
  const json::object* delta = object_in(data, "delta");
  const std::string_view reason = delta == nullptr ? "" : text_in(*delta, "stop_reason");
  if (reason.empty()) return;
  end_tool(events);
  finished_ = true;
  events.emplace_back(chat::UsageReport{usage_});
  events.emplace_back(chat::Finish{finish_reason(reason)});
}

}  // namespace minimill::protocol::anthropic
