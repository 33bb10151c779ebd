#pragma once

// The response object and its output items, as whole and streamed answers share them.

#include <boost/json.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_event.h"
#include "protocol/responses.h"

namespace minimill::protocol::responses {

inline constexpr std::string_view kInProgress = "in_progress";
inline constexpr std::string_view kCompleted = "completed";
inline constexpr std::string_view kIncomplete = "incomplete";
inline constexpr std::string_view kFailed = "failed";

/// How a response ends that ended for this reason: kCompleted or kIncomplete.
std::string_view final_status(chat::FinishReason finish);

/// "fc", "resp_X", 2 → "fc_X_2": the third item of the response.
std::string item_id(std::string_view prefix, std::string_view response_id, std::size_t index);

boost::json::array logprobs_json(const std::vector<chat::TokenLogprob>& logprobs);
boost::json::object text_part(std::string_view text,
                              const std::vector<chat::TokenLogprob>& logprobs);
boost::json::object summary_part(std::string_view text);

boost::json::object reasoning_item(std::string_view id, boost::json::array summary,
                                   std::string_view status);
boost::json::object message_item(std::string_view id, boost::json::array content,
                                 std::string_view status);
/// `custom`: of a tool whose argument is free text.
boost::json::object call_item(std::string_view id, const chat::ToolCall& call,
                              std::string_view status, bool custom);
boost::json::object compaction_item(std::string_view id, std::string_view summary);
bool is_custom_tool(const ResponseHead& head, std::string_view name);

/// A response without what only its end knows: status in_progress, no output, no usage.
boost::json::object started_response(const ResponseHead& head);
/// The same at its end. Beyond kCompleted, `error` or `finish` says why.
boost::json::object ended_response(const ResponseHead& head, boost::json::array output,
                                   chat::FinishReason finish, const chat::Usage& usage);
boost::json::object failed_response(const ResponseHead& head, boost::json::array output,
                                    const Error& error);

}  // namespace minimill::protocol::responses
