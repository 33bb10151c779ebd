#pragma once

// An error in the words of whatever protocol a path belongs to.

#include <string>
#include <string_view>

#include "base/error.h"

namespace minimill::api {

/// /v1/messages… is Anthropic's, the rest of /v1/ is OpenAI's, /api/ is Ollama's; ours elsewhere.
std::string write_error_for(std::string_view path, const Error& error);

}  // namespace minimill::api
