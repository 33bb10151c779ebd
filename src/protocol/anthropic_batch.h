#pragma once

// Anthropic's Message Batches API, the client's side.
// https://docs.anthropic.com/en/api/creating-message-batches

#include <string>
#include <string_view>

#include "base/error.h"
#include "chat/chat_request.h"
#include "protocol/batch.h"

namespace minimill::protocol::anthropic {

/// Appends one element of the "requests" of POST /v1/messages/batches. `custom_id`: at most 64
/// letters, digits, '_' and '-'.
void append_batch_request(std::string_view custom_id, const chat::ChatRequest& request,
                          std::string_view model, std::string& out);

/// A message_batch object; kUpstream for anything else.
Result<BatchStatus> parse_batch(std::string_view body);

/// A line of GET /v1/messages/batches/{id}/results.
Result<BatchResult> read_batch_result(std::string_view line);

}  // namespace minimill::protocol::anthropic
