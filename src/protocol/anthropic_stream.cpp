#include <fmt/format.h>

#include <utility>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/anthropic_fields.h"
#include "protocol/garbage.h"

namespace minimill::protocol::anthropic {
namespace {

constexpr std::int64_t kMaxToolCalls = 128;

void append_frame(std::string& out, std::string_view event, const json::object& data) {
  out += "event: ";
  out += event;
  out += "\ndata: ";
  out += json::serialize(data);
  out += "\n\n";
}

/// What an error inside a stream means; the types are Anthropic's own.
Error stream_error(const json::object& data) {
  const json::object* inner = object_in(data, "error");
  const std::string type = inner == nullptr ? "" : text_in(*inner, "type");
  Error error;
  error.code = type == "overloaded_error"   ? ErrorCode::kUnavailable
               : type == "rate_limit_error" ? ErrorCode::kRateLimited
                                            : ErrorCode::kUpstream;
  error.message = fmt::format("the backend broke off: {}",
                              inner == nullptr ? "no reason given" : text_in(*inner, "message"));
  return error;
}

}  // namespace

Result<> StreamReader::read(std::string_view event, std::string_view data,
                            std::vector<chat::ChatEvent>& events) {
  const Result<json::object> parsed = parse_json_object(data);
  if (!parsed) return garbage("a message event", data);
  const std::string type = text_in(*parsed, "type");
  if (type.empty()) return garbage("a message event", data);
  if (type == "error" || event == "error") return std::unexpected(stream_error(*parsed));
  if (type == "message_start") {
    if (const json::object* message = object_in(*parsed, "message")) {
      model_ = text_in(*message, "model");
      if (const json::object* usage = object_in(*message, "usage")) add_usage(*usage, usage_);
    }
  } else if (type == "content_block_start") {
    const json::object* block = object_in(*parsed, "content_block");
    if (block != nullptr && text_in(*block, "type") == "tool_use") {
      if (tool_calls_ >= kMaxToolCalls) {
        return fail(ErrorCode::kUpstream, "more tool calls than any answer has");
      }
      events.emplace_back(chat::ToolCallDelta{.index = tool_calls_++,
                                              .id = text_in(*block, "id"),
                                              .name = text_in(*block, "name"),
                                              .arguments = {}});
    }
  } else if (type == "content_block_delta") {
    const json::object* delta = object_in(*parsed, "delta");
    if (delta == nullptr) return garbage("a message event", data);
    const std::string kind = text_in(*delta, "type");
    if (kind == "text_delta") events.emplace_back(chat::TextDelta{text_in(*delta, "text")});
    if (kind == "thinking_delta") events.emplace_back(chat::ReasoningDelta{text_in(*delta, "thinking")});
    if (kind == "input_json_delta" && tool_calls_ > 0) {
      events.emplace_back(chat::ToolCallDelta{.index = tool_calls_ - 1,
                                              .id = {},
                                              .name = {},
                                              .arguments = text_in(*delta, "partial_json")});
    }
  } else if (type == "message_delta") {
    if (const json::object* usage = object_in(*parsed, "usage")) add_usage(*usage, usage_);
    const json::object* delta = object_in(*parsed, "delta");
    const std::string reason = delta == nullptr ? "" : text_in(*delta, "stop_reason");
    if (!reason.empty()) {
      events.emplace_back(chat::UsageReport{usage_});
      events.emplace_back(chat::Finish{finish_reason(reason)});
    }
  } else if (type == "message_stop") {
    done_ = true;
  }
  return {};  // ping, content_block_stop, and what is yet to be invented
}

StreamWriter::StreamWriter(std::string_view id, std::string_view model) : id_(id), model_(model) {}

void StreamWriter::start_message(std::string& out) {
  if (std::exchange(started_, true)) return;
  append_frame(out, "message_start",
               {{"type", "message_start"},
                {"message",
                 {{"id", id_},
                  {"type", "message"},
                  {"role", "assistant"},
                  {"model", model_},
                  {"content", json::array{}},
                  {"stop_reason", nullptr},
                  {"usage", {{"input_tokens", 0}, {"output_tokens", 0}}}}}});
}

void StreamWriter::close_block(std::string& out) {
  if (std::exchange(block_, Block::kNone) == Block::kNone) return;
  append_frame(out, "content_block_stop",
               {{"type", "content_block_stop"}, {"index", block_index_}});
}

void StreamWriter::open_block(Block block, std::string_view start, std::string& out) {
  start_message(out);
  if (block_ == block && block != Block::kTool) return;
  close_block(out);
  block_ = block;
  ++block_index_;
  out += fmt::format(
      "event: content_block_start\ndata: "
      "{{\"type\":\"content_block_start\",\"index\":{},\"content_block\":{}}}\n\n",
      block_index_, start);
}

void StreamWriter::write(const chat::ChatEvent& event, std::string& out) {
  const auto delta = [&](json::object piece) {
    append_frame(out, "content_block_delta",
                 {{"type", "content_block_delta"}, {"index", block_index_}, {"delta", std::move(piece)}});
  };
  if (const auto* text = std::get_if<chat::TextDelta>(&event)) {
    open_block(Block::kText, R"({"type":"text","text":""})", out);
    delta({{"type", "text_delta"}, {"text", text->text}});
  } else if (const auto* thinking = std::get_if<chat::ReasoningDelta>(&event)) {
    open_block(Block::kThinking, R"({"type":"thinking","thinking":""})", out);
    delta({{"type", "thinking_delta"}, {"thinking", thinking->text}});
  } else if (const auto* call = std::get_if<chat::ToolCallDelta>(&event)) {
    if (call->index != tool_index_) {
      tool_index_ = call->index;
      const json::object start{{"type", "tool_use"},
                               {"id", call->id},
                               {"name", call->name},
                               {"input", json::object{}}};
      open_block(Block::kTool, json::serialize(start), out);
    }
    if (!call->arguments.empty()) {
      delta({{"type", "input_json_delta"}, {"partial_json", call->arguments}});
    }
  } else if (const auto* report = std::get_if<chat::UsageReport>(&event)) {
    usage_ = report->usage;
  } else if (const auto* finish = std::get_if<chat::Finish>(&event)) {
    finish_ = finish->reason;
  }
}

void StreamWriter::finish(std::string& out) {
  start_message(out);
  close_block(out);
  append_frame(out, "message_delta",
               {{"type", "message_delta"},
                {"delta", {{"stop_reason", stop_reason(finish_)}, {"stop_sequence", nullptr}}},
                {"usage", usage_json(usage_)}});
  append_frame(out, "message_stop", {{"type", "message_stop"}});
}

}  // namespace minimill::protocol::anthropic
