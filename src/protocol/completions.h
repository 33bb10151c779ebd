#pragma once

// OpenAI's older wire format, completions of plain prompts, server side.
// https://platform.openai.com/docs/api-reference/completions
//
//   parse_completion_request → … → write_answer, or StreamWriter per event
//
// Backends are asked to chat: the prompt goes as a user's message. Errors are openai.h's.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"

namespace minimill::protocol::completions {

inline constexpr std::int64_t kDefaultMaxTokens = 16;  // as OpenAI documents it
inline constexpr std::int64_t kMaxLogprobs = 5;
inline constexpr std::size_t kMaxLogitBias = 1024;  // entries

/// The body of POST /v1/completions. kUnsupported for what needs the bare prompt (suffix, echo,
/// tokens) or several answers (more than one prompt, n, best_of).
Result<chat::ChatRequest> parse_completion_request(std::string_view body);

/// A whole text_completion object. Thoughts and tool calls have no place in it.
std::string write_answer(const chat::ChatAnswer& answer, std::string_view id,
                         std::int64_t created_s);

/// text_completion objects in SSE frames ("data: {…}\n\n"), from a template with the text escaped
/// in.
class StreamWriter {
 public:
  StreamWriter(std::string_view id, std::string_view model, std::int64_t created_s,
               bool include_usage);
  /// Appends the frame for one event, if there is one, to `out`.
  void write(const chat::ChatEvent& event, std::string& out);
  /// The usage chunk, if asked for, and "data: [DONE]\n\n".
  void finish(std::string& out);

 private:
  void write_chunk(std::string_view text, const std::vector<chat::TokenLogprob>& logprobs,
                   std::string_view finish_reason, std::string& out);

  std::string head_;  // data: {"id":…,"object":…,"created":…,"model":…
  bool include_usage_;
  std::size_t text_offset_ = 0;  // characters of the tokens written so far
  chat::Usage usage_;
};

}  // namespace minimill::protocol::completions
