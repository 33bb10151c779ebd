#pragma once

// OpenAI's Files and Batch APIs, the client's side.
// https://platform.openai.com/docs/api-reference/batch

#include <string>
#include <string_view>

#include "base/error.h"
#include "chat/chat_request.h"
#include "protocol/batch.h"
#include "protocol/dialect.h"

namespace minimill::protocol::openai {

/// Appends the line of an input file that asks for one chat completion.
void append_batch_line(std::string_view custom_id, const chat::ChatRequest& request,
                       std::string_view model, const Dialect& dialect, std::string& out);

/// The body of POST /files, as multipart/form-data. `boundary` must not occur in `lines`.
std::string write_batch_upload(std::string_view lines, std::string_view boundary);
/// The uploaded file's id.
Result<std::string> parse_file_id(std::string_view body);

/// The body of POST /batches. `name` is kept in the batch's metadata.
std::string write_batch_creation(std::string_view input_file, std::string_view name);

/// A batch object; kUpstream for anything else.
Result<BatchStatus> parse_batch(std::string_view body);
/// GET /batches. Entries that are no batches are left out.
Result<BatchList> parse_batch_list(std::string_view body);

/// A line of an output or error file.
Result<BatchResult> read_batch_result(std::string_view line);

}  // namespace minimill::protocol::openai
