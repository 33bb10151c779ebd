#pragma once

// The items that OpenAI's Responses API makes its conversations of, as chat's messages: what comes
// in as input, and what was answered before and is kept.
//
// An item is a message, a call of a function or of a custom tool, what the tool gave, a model's
// reasoning, a summary of what was said before, or the wish for one. What OpenAI's own tools left
// in a conversation is read over; translation.h names it.

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_request.h"

namespace minimill::protocol::responses {

/// `items` in order; `path` is what errors call the array. Calls that follow each other, and what
/// the assistant says beside them, become one message, as every chat protocol has them. Reasoning
/// is read over: it is nothing that another model could be told. kUnsupported for items that only
/// OpenAI's own tools and stores make.
Result<std::vector<chat::Message>> messages_of(const boost::json::array& items,
                                               std::string_view path);

/// Items that messages_of takes, in the one form that they are stored and shown in: each with its
/// type, a message's content as an array of parts.
boost::json::array normalised(const boost::json::array& items);
/// The one item of an input that is a string.
boost::json::array normalised(std::string_view input);

bool has_reasoning(const boost::json::array& items);

/// What a tool that OpenAI runs itself asked or gave.
bool is_of_hosted_tool(std::string_view type);

/// The item that asks for all before it to be summed up; no other answer is wanted.
inline constexpr std::string_view kCompactionTrigger = "compaction_trigger";
bool asks_for_compaction(const boost::json::array& items);

/// A summary as the encrypted_content of a compaction item, which clients send back as it is. Ours
/// are text; nullopt for those of others.
std::string sealed_summary(std::string_view summary);
std::optional<std::string> summary_in(std::string_view content);

}  // namespace minimill::protocol::responses
