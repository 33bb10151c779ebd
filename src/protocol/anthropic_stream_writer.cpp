#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "base/json.h"
#include "protocol/anthropic.h"
#include "protocol/anthropic_fields.h"

namespace minimill::protocol::anthropic {

StreamWriter::StreamWriter(std::string_view id, std::string_view model) : id_(id), model_(model) {}

void StreamWriter::start_message(std::string& out) {
  if (std::exchange(started_, true)) return;
  out +=
      "event: message_start\n"
      R"(data: {"type":"message_start","message":{"type":"message","role":"assistant","id":)";
  append_json_string(out, id_);
  out += R"(,"model":)";
  append_json_string(out, model_);
  // The prompt's tokens are not known yet; message_delta has them.
  out += R"(,"content":[],"stop_reason":null,"stop_sequence":null,)";
  out += R"("usage":{"input_tokens":0,"output_tokens":0}}})";
  out += "\n\n";
}

void StreamWriter::open_block(Block block, std::string_view start, std::string& out) {
  start_message(out);
  if (block_ == block && block != Block::kTool) return;
  close_block(out);
  block_ = block;
  ++block_index_;
  fmt::format_to(std::back_inserter(out),
                 "event: content_block_start\ndata: "
                 R"({{"type":"content_block_start","index":{},"content_block":{}}})"
                 "\n\n",
                 block_index_, start);
}

void StreamWriter::close_block(std::string& out) {
  if (std::exchange(block_, Block::kNone) == Block::kNone) return;
  fmt::format_to(std::back_inserter(out),
                 "event: content_block_stop\ndata: "
                 R"({{"type":"content_block_stop","index":{}}})"
                 "\n\n",
                 block_index_);
}

void StreamWriter::append_delta(std::string_view type, std::string_view key, std::string_view text,
                                std::string& out) const {
  fmt::format_to(std::back_inserter(out),
                 "event: content_block_delta\ndata: "
                 R"({{"type":"content_block_delta","index":{},"delta":{{"type":"{}","{}":)",
                 block_index_, type, key);
  append_json_string(out, text);
  out += "}}\n\n";
}

void StreamWriter::write_text(std::string_view text, std::string& out) {
  open_block(Block::kText, R"({"type":"text","text":""})", out);
  append_delta("text_delta", "text", text, out);
}

void StreamWriter::write_thinking(std::string_view text, std::string& out) {
  open_block(Block::kThinking, R"({"type":"thinking","thinking":"","signature":""})", out);
  append_delta("thinking_delta", "thinking", text, out);
}

void StreamWriter::open_tool(std::string_view id, std::string_view name, std::string& out) {
  std::string start = R"({"type":"tool_use","input":{},"id":)";
  append_json_string(start, id);
  start += R"(,"name":)";
  append_json_string(start, name);
  start += '}';
  open_block(Block::kTool, start, out);
}

void StreamWriter::write_arguments(std::string_view text, std::string& out) {
  if (!text.empty()) append_delta("input_json_delta", "partial_json", text, out);
}

void StreamWriter::write(const chat::ChatEvent& event, std::string& out) {
  if (const auto* report = std::get_if<chat::UsageReport>(&event)) {
    usage_ = report->usage;
  } else if (const auto* finish = std::get_if<chat::Finish>(&event)) {
    finish_ = finish->reason;
  } else if (const auto* call = std::get_if<chat::ToolCallDelta>(&event)) {
    if (block_ != Block::kTool) {
      tool_index_ = call->index;
      open_tool(call->id, call->name, out);
    }
    if (call->index == tool_index_) {
      write_arguments(call->arguments, out);
    } else {
      chat::accumulate(waiting_, event);
    }
  } else if (block_ == Block::kTool) {
    chat::accumulate(waiting_, event);
  } else if (const auto* text = std::get_if<chat::TextDelta>(&event)) {
    write_text(text->text, out);
  } else if (const auto* thinking = std::get_if<chat::ReasoningDelta>(&event)) {
    write_thinking(thinking->text, out);
  }
}

void StreamWriter::finish(std::string& out) {
  start_message(out);
  for (const chat::ToolCall& call : waiting_.tool_calls) {
    if (call == chat::ToolCall{}) continue;  // the one written already, or a number left out
    open_tool(call.id, call.name, out);
    write_arguments(call.arguments, out);
  }
  if (!waiting_.reasoning.empty()) write_thinking(waiting_.reasoning, out);
  if (!waiting_.text.empty()) write_text(waiting_.text, out);
  close_block(out);
  fmt::format_to(std::back_inserter(out),
                 "event: message_delta\ndata: "
                 R"({{"type":"message_delta","delta":{{"stop_reason":"{}","stop_sequence":null}},)"
                 R"("usage":{}}})"
                 "\n\n",
                 stop_reason(finish_), json::serialize(usage_json(usage_)));
  out += "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
}

}  // namespace minimill::protocol::anthropic
