#pragma once

// The Ollama wire format, server side: apps written for Ollama get at every backend through it.
// https://github.com/ollama/ollama/blob/main/docs/api.md
//
//   parse_chat_request or parse_generate_request → … → write_answer, or StreamWriter per event
//
// Its streams are lines of JSON (application/x-ndjson), it streams unless told otherwise, its times
// are nanoseconds. Models and embeddings: ollama_models.h, ollama_embed.h.

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"

namespace minimill::protocol::ollama {

struct Request {
  chat::ChatRequest chat;
  /// How long the model stays loaded afterwards; negative: forever; zero: unload it at once. Unset:
  /// the daemon's own way.
  std::optional<std::chrono::seconds> keep_alive;
  bool load_only = false;  // nothing to answer: load the model, or unload it, and write_loaded
};

/// The body of POST /api/chat. Ollama's tool calls have no ids: they are numbered "call_0", … where
/// the body has none, and a tool's message belongs to the first unanswered call of its tool_name,
/// or to the first at all. Options that are the engine's own are named in ChatRequest::emulated.
Result<Request> parse_chat_request(std::string_view body);

/// The body of POST /api/generate: `system` and `prompt` become two messages. kUnsupported for raw,
/// suffix, template and a non-empty context.
Result<Request> parse_generate_request(std::string_view body);

/// Which of the two answers an app waits for: {"message": {…}} or {"response": "…"}.
enum class Shape { kChat, kGenerate };

/// Where an answer's time went.
struct Durations {
  std::chrono::nanoseconds total{0};
  std::chrono::nanoseconds load{0};
  std::chrono::nanoseconds prompt_eval{0};
  std::chrono::nanoseconds eval{0};
};

/// A whole answer, for "stream": false.
std::string write_answer(const chat::ChatAnswer& answer, Shape shape, WallTime created_at,
                         const Durations& durations);

/// The answer to a request that is load_only.
std::string write_loaded(Shape shape, std::string_view model, WallTime created_at, bool unloaded);

/// One line per piece of text or thought. A tool call is gathered and sent whole, as Ollama's
/// clients expect, in a line before the last.
class StreamWriter {
 public:
  StreamWriter(Shape shape, std::string_view model);
  void write(const chat::ChatEvent& event, WallTime now, std::string& out);
  /// The tool calls, and the line with "done": true, the token counts and `durations`.
  void finish(WallTime now, const Durations& durations, std::string& out);

 private:
  void write_piece(std::string_view text, std::string_view thinking,
                   const std::vector<chat::TokenLogprob>& logprobs, WallTime now,
                   std::string& out) const;

  Shape shape_;
  std::string model_;
  std::string head_;            // {"model":…,"created_at":"
  chat::AnswerParts gathered_;  // tool calls, usage and finish only
};

/// {"error": "…"}: the hint is part of it. Valid JSON whatever bytes the message holds.
std::string write_error(const Error& error);
/// The same inside a stream that has already begun: a line.
std::string write_stream_error(const Error& error);

}  // namespace minimill::protocol::ollama
