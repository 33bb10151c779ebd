#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "base/json.h"
#include "protocol/openai.h"
#include "protocol/openai_fields.h"

namespace minimill::protocol::openai {

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
  fmt::format_to(std::back_inserter(out), R"(,"choices":[{{"index":{},"delta":{{)", choice_);
}

void StreamWriter::next_choice() {
  usage_ += std::exchange(choice_usage_, {});
  ++choice_;
  role_sent_ = false;
}

void StreamWriter::write(const chat::ChatEvent& event, std::string& out) {
  constexpr std::string_view kEnd = "},\"finish_reason\":null}]}\n\n";
  if (const auto* report = std::get_if<chat::UsageReport>(&event)) {
    choice_usage_ = report->usage;
    return;
  }
  if (std::holds_alternative<chat::Frame>(event)) return;
  open_chunk(out);
  if (!std::exchange(role_sent_, true)) {
    out += R"("role":"assistant")";
    if (!std::holds_alternative<chat::Finish>(event)) out += ',';
  }
  if (const auto* text = std::get_if<chat::TextDelta>(&event)) {
    out += R"("content":)";
    append_json_string(out, text->text);
    if (text->logprobs.empty()) {
      out += kEnd;
    } else {
      out += R"(},"logprobs":)";
      out += json::serialize(logprobs_json(text->logprobs));
      out += ",\"finish_reason\":null}]}\n\n";
    }
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
    chat::Usage usage = usage_;
    usage += choice_usage_;
    out += head_;
    out += R"(,"choices":[],"usage":)";
    out += json::serialize(usage_json(usage));
    out += "}\n\n";
  }
  out += "data: [DONE]\n\n";
}

}  // namespace minimill::protocol::openai
