#pragma once

// Anthropic's Message Batches API, as the simulated cloud serves it.
// https://docs.anthropic.com/en/api/creating-message-batches

#include <optional>

#include "simcloud/openai_batches.h"

namespace minimill::simcloud {

/// Under /v1/messages/batches; nullopt for other paths.
std::optional<BatchReply> anthropic_batch_reply(const http::Request& request, Batches& batches,
                                                AnswerForm form);

}  // namespace minimill::simcloud
