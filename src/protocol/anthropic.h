#pragma once

// The Anthropic Messages wire format, both ways.
// https://docs.anthropic.com/en/api/messages
//
// Client side for providers; server side for the simulated cloud, and for apps that speak it.

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"

namespace minimill::protocol::anthropic {

/// Anthropic demands max_tokens; this is sent where the request sets none.
inline constexpr std::int64_t kDefaultMaxTokens = 4096;

/// The body of POST /v1/messages. Unknown fields, thinking blocks and what a tool's result holds
/// besides text stay in ChatRequest::original.
Result<chat::ChatRequest> parse_messages_request(std::string_view body);

/// The body of POST /v1/messages/count_tokens, which sets no limit to an answer there will not be.
Result<chat::ChatRequest> parse_count_request(std::string_view body);
/// Its body for a backend that calls its model `model`.
std::string write_count_request(const chat::ChatRequest& request, std::string_view model);
/// {"input_tokens": …}, both ways; anything else is kUpstream.
Result<std::int64_t> parse_count(std::string_view body);
std::string write_count(std::int64_t tokens);

/// A body for a backend that speaks this protocol and calls its model `model`. A request that
/// arrived in it, and was not edited, keeps every field but model and stream. Any other is written
/// from its parts:
/// system messages are gathered, neighbours of one role joined, tool results become the user's
/// blocks, and a response_format becomes words in the system prompt, as there is no field for it.
std::string write_messages_request(const chat::ChatRequest& request, std::string_view model,
                                   bool stream);

/// A whole message object. Anything else is kUpstream.
Result<chat::ChatAnswer> parse_answer(std::string body);
/// The backend's own bytes where its protocol is this one and nothing has edited the answer.
std::string write_answer(const chat::ChatAnswer& answer, std::string_view id);

/// message_start … message_stop frames ("event: …\ndata: {…}\n\n"), from templates with the text
/// escaped in.
///
/// Blocks come one after the other here, while OpenAI's chunks may mix the pieces of several tool
/// calls: the first call is written as it comes, and what comes beside it waits for its end.
class StreamWriter {
 public:
  StreamWriter(std::string_view id, std::string_view model);
  void write(const chat::ChatEvent& event, std::string& out);
  /// What waited, message_delta with stop reason and usage, message_stop.
  void finish(std::string& out);

 private:
  enum class Block { kNone, kText, kThinking, kTool };
  void start_message(std::string& out);
  void open_block(Block block, std::string_view start, std::string& out);
  void close_block(std::string& out);
  void append_delta(std::string_view type, std::string_view key, std::string_view text,
                    std::string& out) const;
  void write_text(std::string_view text, std::string& out);
  void write_thinking(std::string_view text, std::string& out);
  void open_tool(std::string_view id, std::string_view name, std::string& out);
  void write_arguments(std::string_view text, std::string& out);

  std::string id_;
  std::string model_;
  bool started_ = false;
  Block block_ = Block::kNone;
  std::int64_t block_index_ = -1;
  std::int64_t tool_index_ = -1;  // of the call in the open block
  chat::AnswerParts waiting_;
  chat::FinishReason finish_ = chat::FinishReason::kStop;
  chat::Usage usage_;
};

/// Events out of (event, data) of each SSE event of a streamed answer.
class StreamReader {
 public:
  /// Appends to `events`. kUpstream for anything that is no event of a message; an error event is
  /// kUnavailable where the provider is overloaded, kRateLimited where it says so, else kUpstream.
  Result<> read(std::string_view event, std::string_view data,
                std::vector<chat::ChatEvent>& events);
  /// True after message_stop.
  bool done() const { return done_; }
  const std::string& model() const { return model_; }

 private:
  enum class Tool { kNone, kWithoutArguments, kWithArguments };
  void read_start(const boost::json::object& data, std::vector<chat::ChatEvent>& events);
  Result<> read_block_start(const boost::json::object& data, std::vector<chat::ChatEvent>& events);
  void read_block_delta(const boost::json::object& delta, std::vector<chat::ChatEvent>& events);
  void read_message_delta(const boost::json::object& data, std::vector<chat::ChatEvent>& events);
  void append_arguments(std::string text, std::vector<chat::ChatEvent>& events);
  void end_tool(std::vector<chat::ChatEvent>& events);

  bool done_ = false;
  bool finished_ = false;
  std::string model_;
  chat::Usage usage_;
  Tool tool_ = Tool::kNone;  // of the open block
  std::int64_t tool_calls_ = 0;
};

/// {"type": "error", "error": {"type", "message"}}. Valid JSON whatever bytes the message holds.
std::string write_error(const Error& error);
/// The same inside a stream that has already begun: an SSE frame.
std::string write_stream_error(const Error& error);

/// GET /v1/models and GET /v1/models/{id}.
std::string write_models(const std::vector<std::string>& ids);
std::string write_model(const std::string& id);

}  // namespace minimill::protocol::anthropic
