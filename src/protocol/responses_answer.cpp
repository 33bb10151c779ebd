#include <utility>

#include "base/json.h"
#include "protocol/responses.h"
#include "protocol/responses_object.h"

namespace minimill::protocol::responses {

namespace {

/// What a summary that was asked for is in: the text alone counts.
json::object summary_response(const ResponseHead& head, const chat::ChatAnswer& answer) {
  json::array output = head.kept;
  output.emplace_back(compaction_item(item_id("cmp", head.id, output.size()), answer.text()));
  json::object written = ended_response(head, std::move(output), answer.finish(), answer.usage());
  if (head.summary == Summary::kObject) written["object"] = "response.compaction";
  return written;
}

}  // namespace

json::object response_object(const ResponseHead& head, const chat::ChatAnswer& answer) {
  if (head.summary != Summary::kNone) return summary_response(head, answer);
  json::array output;
  if (!answer.reasoning().empty()) {
    json::array summary;
    summary.emplace_back(summary_part(answer.reasoning()));
    output.emplace_back(
        reasoning_item(item_id("rs", head.id, output.size()), std::move(summary), kCompleted));
  }
  if (!answer.text().empty() || (answer.reasoning().empty() && answer.tool_calls().empty())) {
    json::array content;
    content.emplace_back(text_part(answer.text(), answer.logprobs()));
    output.emplace_back(
        message_item(item_id("msg", head.id, output.size()), std::move(content), kCompleted));
  }
  for (chat::ToolCall call : answer.tool_calls()) {
    if (call.id.empty()) call.id = item_id("call", head.id, output.size());
    const bool custom = is_custom_tool(head, call.name);
    output.emplace_back(call_item(item_id(custom ? "ctc" : "fc", head.id, output.size()), call,
                                  kCompleted, custom));
  }
  // What was cut was the last to be written.
  output.back().get_object()["status"] = final_status(answer.finish());
  return ended_response(head, std::move(output), answer.finish(), answer.usage());
}

}  // namespace minimill::protocol::responses
