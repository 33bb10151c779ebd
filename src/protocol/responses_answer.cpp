#include <utility>

#include "base/json.h"
#include "protocol/responses.h"
#include "protocol/responses_object.h"

namespace minimill::protocol::responses {

json::object response_object(const ResponseHead& head, const chat::ChatAnswer& answer) {
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
    output.emplace_back(call_item(item_id("fc", head.id, output.size()), call, kCompleted));
  }
  // What was cut was the last to be written.
  output.back().get_object()["status"] = final_status(answer.finish());
  return ended_response(head, std::move(output), answer.finish(), answer.usage());
}

}  // namespace minimill::protocol::responses
