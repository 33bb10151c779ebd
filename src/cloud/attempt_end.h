#pragma once

// What an attempt's end means: whose fault an error is, and what an answer used where its provider
// does not say.

#include "base/error.h"
#include "chat/chat_event.h"
#include "cloud/health.h"
#include "cloud/provider.h"

namespace minimill::cloud {

/// `past_deadline`: the request's own, so that a time-out is nobody's fault.
Ending ending_of(const Error& error, const Told& told, bool past_deadline);

/// What the provider told, or, where it told nothing, an estimate from the answer's text.
chat::Usage told_or_estimated(const chat::ChatAnswer& answer, std::int64_t prompt_tokens);

}  // namespace minimill::cloud
