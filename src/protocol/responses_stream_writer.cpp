#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/json.h"
#include "protocol/answer_fields.h"
#include "protocol/function_tools.h"
#include "protocol/responses.h"
#include "protocol/responses_object.h"
#include "protocol/utf8.h"

namespace minimill::protocol::responses {
namespace {

/// `value` is a json::object, array or value: each serialized as it is, without a copy.
template <class Json>
void append_json(std::string& out, std::string_view key, const Json& value) {
  fmt::format_to(std::back_inserter(out), R"(,"{}":)", key);
  out += json::serialize(value);
}

void append_text(std::string& out, std::string_view key, std::string_view text) {
  fmt::format_to(std::back_inserter(out), R"(,"{}":)", key);
  append_json_string(out, text);
}

void end_event(std::string& out) { out += "}\n\n"; }

}  // namespace

ResponseStreamWriter::ResponseStreamWriter(ResponseHead head) : head_(std::move(head)) {}

void ResponseStreamWriter::begin_event(std::string_view type, std::string& out) {
  fmt::format_to(std::back_inserter(out),
                 "event: {0}\ndata: "
                 R"({{"type":"{0}","sequence_number":{1})",
                 type, sequence_++);
}

void ResponseStreamWriter::begin_item_event(std::string_view type, std::size_t index,
                                            std::string& out) {
  begin_event(type, out);
  fmt::format_to(std::back_inserter(out), R"(,"output_index":{},"item_id":)", index);
  append_json_string(out, items_[index].id);
  // Each item is one text, whether that is called its content or its summary.
  if (items_[index].kind == Kind::kMessage) out += R"(,"content_index":0)";
  if (items_[index].kind == Kind::kReasoning) out += R"(,"summary_index":0)";
}

void ResponseStreamWriter::write_item_event(std::string_view type, std::size_t index,
                                            std::string& out) {
  begin_event(type, out);
  fmt::format_to(std::back_inserter(out), R"(,"output_index":{})", index);
  append_json(out, "item", item_json(items_[index]));
  end_event(out);
}

void ResponseStreamWriter::write_response_event(std::string_view type, std::string& out) {
  begin_event(type, out);
  append_json(out, "response", response_);
  end_event(out);
}

json::object ResponseStreamWriter::item_json(const Item& item) const {
  // An item that has only begun shows none of its parts.
  const bool empty = item.status == kInProgress && item.text.empty();
  json::array parts;
  switch (item.kind) {
    case Kind::kReasoning:
      if (!empty) parts.emplace_back(summary_part(item.text));
      return reasoning_item(item.id, std::move(parts), item.status);
    case Kind::kMessage:
      if (!empty) parts.emplace_back(text_part(item.text, item.logprobs));
      return message_item(item.id, std::move(parts), item.status);
    case Kind::kSummary:
      return compaction_item(item.id, item.text);
    case Kind::kCall:
      break;
  }
  return call_item(item.id, item.call, item.status, is_custom(item));
}

json::array ResponseStreamWriter::output_json() const {
  json::array output;
  output.reserve(items_.size());
  for (const Item& item : items_) output.emplace_back(item_json(item));
  return output;
}

void ResponseStreamWriter::start(std::string& out) {
  if (std::exchange(started_, true)) return;
  response_ = started_response(head_);
  write_response_event("response.created", out);
  write_response_event("response.in_progress", out);
}

void ResponseStreamWriter::open_item(Item item, std::string_view id_prefix, std::string& out) {
  const std::size_t index = items_.size();
  item.id = item_id(id_prefix, head_.id, index);
  item.status = kInProgress;
  items_.push_back(std::move(item));
  write_item_event("response.output_item.added", index, out);
}

void ResponseStreamWriter::close_item(std::size_t index, std::string_view status,
                                      std::string& out) {
  Item& item = items_[index];
  item.status = status;
  switch (item.kind) {
    case Kind::kReasoning:
      begin_item_event("response.reasoning_summary_text.done", index, out);
      append_text(out, "text", item.text);
      end_event(out);
      begin_item_event("response.reasoning_summary_part.done", index, out);
      append_json(out, "part", summary_part(item.text));
      end_event(out);
      break;
    case Kind::kMessage:
      begin_item_event("response.output_text.done", index, out);
      append_text(out, "text", item.text);
      append_json(out, "logprobs", logprobs_json(item.logprobs));
      end_event(out);
      begin_item_event("response.content_part.done", index, out);
      append_json(out, "part", text_part(item.text, item.logprobs));
      end_event(out);
      break;
    case Kind::kCall:
      close_call(index, out);
      break;
    case Kind::kSummary:
      break;
  }
  write_item_event("response.output_item.done", index, out);
}

bool ResponseStreamWriter::is_custom(const Item& item) const {
  return is_custom_tool(head_, item.call.name);
}

/// A custom tool's text is known once its JSON is whole.
void ResponseStreamWriter::close_call(std::size_t index, std::string& out) {
  const chat::ToolCall& call = items_[index].call;
  if (is_custom(items_[index])) {
    const std::string input = free_text(call.arguments);
    begin_item_event("response.custom_tool_call_input.delta", index, out);
    append_text(out, "delta", input);
    end_event(out);
    begin_item_event("response.custom_tool_call_input.done", index, out);
    append_text(out, "input", input);
    end_event(out);
    return;
  }
  begin_item_event("response.function_call_arguments.done", index, out);
  append_text(out, "name", call.name);
  append_text(out, "arguments", call.arguments);
  end_event(out);
}

ResponseStreamWriter::Item& ResponseStreamWriter::speak(Kind kind, std::string& out) {
  if (speaking_ && items_[*speaking_].kind == kind) return items_[*speaking_];
  stop_speaking(out);
  Item item;
  item.kind = kind;
  open_item(std::move(item), kind == Kind::kMessage ? "msg" : "rs", out);
  speaking_ = items_.size() - 1;
  const bool message = kind == Kind::kMessage;
  begin_item_event(
      message ? "response.content_part.added" : "response.reasoning_summary_part.added", *speaking_,
      out);
  append_json(out, "part", message ? text_part("", {}) : summary_part(""));
  end_event(out);
  return items_.back();
}

void ResponseStreamWriter::stop_speaking(std::string& out) {
  if (speaking_) close_item(*speaking_, kCompleted, out);
  speaking_.reset();
}

void ResponseStreamWriter::write_text(const chat::TextDelta& delta, std::string& out) {
  if (delta.text.empty() && delta.logprobs.empty()) return;
  Item& item = speak(Kind::kMessage, out);
  item.text += delta.text;
  item.logprobs.insert(item.logprobs.end(), delta.logprobs.begin(), delta.logprobs.end());
  begin_item_event("response.output_text.delta", *speaking_, out);
  append_text(out, "delta", delta.text);
  if (delta.logprobs.empty()) {
    out += R"(,"logprobs":[])";
  } else {
    append_json(out, "logprobs", logprobs_json(delta.logprobs));
  }
  end_event(out);
}

void ResponseStreamWriter::write_reasoning(const std::string& text, std::string& out) {
  if (text.empty()) return;
  speak(Kind::kReasoning, out).text += text;
  begin_item_event("response.reasoning_summary_text.delta", *speaking_, out);
  append_text(out, "delta", text);
  end_event(out);
}

void ResponseStreamWriter::write_call(const chat::ToolCallDelta& delta, std::string& out) {
  if (delta.index < 0 || delta.index >= kMaxToolCalls) return;  // as chat::accumulate does
  stop_speaking(out);
  const auto found = std::ranges::find_if(items_, [&](const Item& item) {
    return item.kind == Kind::kCall && item.call_index == delta.index;
  });
  auto index = static_cast<std::size_t>(found - items_.begin());
  if (found == items_.end()) {
    Item item;
    item.kind = Kind::kCall;
    item.call_index = delta.index;
    item.call.name = delta.name;
    item.call.id = delta.id.empty() ? item_id("call", head_.id, index) : delta.id;
    open_item(std::move(item), is_custom_tool(head_, delta.name) ? "ctc" : "fc", out);
  }
  if (delta.arguments.empty()) return;
  items_[index].call.arguments += delta.arguments;
  if (is_custom(items_[index])) return;
  begin_item_event("response.function_call_arguments.delta", index, out);
  append_text(out, "delta", delta.arguments);
  end_event(out);
}

void ResponseStreamWriter::write(const chat::ChatEvent& event, std::string& out) {
  start(out);
  const bool speaks = !std::holds_alternative<chat::UsageReport>(event) &&
                      !std::holds_alternative<chat::Finish>(event);
  if (head_.summary != Summary::kNone && speaks) {
    chat::accumulate(summary_, event);
    return;
  }
  if (const auto* text = std::get_if<chat::TextDelta>(&event)) {
    write_text(*text, out);
  } else if (const auto* reasoning = std::get_if<chat::ReasoningDelta>(&event)) {
    write_reasoning(reasoning->text, out);
  } else if (const auto* call = std::get_if<chat::ToolCallDelta>(&event)) {
    write_call(*call, out);
  } else if (const auto* report = std::get_if<chat::UsageReport>(&event)) {
    usage_ = report->usage;
  } else if (const auto* finish = std::get_if<chat::Finish>(&event)) {
    finish_ = finish->reason;
  }
}

void ResponseStreamWriter::finish(std::string& out) {
  start(out);
  if (head_.summary != Summary::kNone) {
    Item item;
    item.kind = Kind::kSummary;
    item.text = std::move(summary_.text);
    open_item(std::move(item), "cmp", out);
  }
  if (items_.empty()) speak(Kind::kMessage, out);  // an answer of nothing is an empty message
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (items_[i].status != kInProgress) continue;
    // What was cut was the last to be written.
    close_item(i, i + 1 == items_.size() ? final_status(finish_) : kCompleted, out);
  }
  speaking_.reset();
  response_ = ended_response(head_, output_json(), finish_, usage_);
  const bool whole = final_status(finish_) == kCompleted;
  write_response_event(whole ? "response.completed" : "response.incomplete", out);
}

void ResponseStreamWriter::fail(const Error& error, std::string& out) {
  start(out);
  for (Item& item : items_) {
    if (item.status == kInProgress) item.status = kIncomplete;
  }
  speaking_.reset();
  begin_event("error", out);
  append_text(out, "code", name(error.code));
  append_text(out, "message", valid_utf8(error.to_string()));
  const std::string param = valid_utf8(error.field);
  append_json(out, "param", param.empty() ? json::value(nullptr) : json::value(param));
  end_event(out);
  response_ = failed_response(head_, output_json(), error);
  write_response_event("response.failed", out);
}

}  // namespace minimill::protocol::responses
