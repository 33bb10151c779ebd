#pragma once

// OpenAI's Files and Batch APIs, as the simulated cloud serves them.
// https://platform.openai.com/docs/api-reference/batch

#include <optional>
#include <string>

#include "http/server.h"
#include "simcloud/batches.h"

namespace minimill::simcloud {

/// What a batch endpoint answers.
struct BatchReply {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  std::string batch = {};  // that it is about
  bool withheld = false;   // done, but the answer is not to come (kBatchStall)
};

struct AnswerForm {
  bool no_usage = false;
};

/// Under /v1/files and /v1/batches; nullopt for other paths.
std::optional<BatchReply> openai_batch_reply(const http::Request& request, Batches& batches,
                                             AnswerForm form);

}  // namespace minimill::simcloud
