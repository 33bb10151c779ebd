#pragma once

// The Anthropic Messages wire format, both ways.
// https://docs.anthropic.com/en/api/messages
//
// Client side for providers; server side for the simulated cloud, and for apps that speak it.

#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"

namespace minimill::protocol::anthropic {

/// Anthropic demands max_tokens; this is sent where the request sets none.
inline constexpr std::int64_t kDefaultMaxTokens = 4096;

Result<chat::ChatRequest> parse_messages_request(std::string_view body);
std::string write_messages_request(const chat::ChatRequest& request, std::string_view model,
                                   bool stream);

Result<chat::ChatAnswer> parse_answer(std::string body);
std::string write_answer(const chat::ChatAnswer& answer, std::string_view id);

/// message_start … message_stop frames ("event: …\ndata: {…}\n\n").
class StreamWriter {
 public:
  StreamWriter(std::string_view id, std::string_view model);
  void write(const chat::ChatEvent& event, std::string& out);
  /// Closes the open block, message_delta with stop reason and usage, message_stop.
  void finish(std::string& out);

 private:
  enum class Block { kNone, kText, kThinking, kTool };
  void open_block(Block block, std::string_view start, std::string& out);
  void close_block(std::string& out);
  void start_message(std::string& out);

  std::string id_;
  std::string model_;
  bool started_ = false;
  Block block_ = Block::kNone;
  std::int64_t block_index_ = -1;
  std::int64_t tool_index_ = -1;
  chat::FinishReason finish_ = chat::FinishReason::kStop;
  chat::Usage usage_;
};

/// Events out of (event, data) of each SSE event of a streamed answer.
class StreamReader {
 public:
  Result<> read(std::string_view event, std::string_view data,
                std::vector<chat::ChatEvent>& events);
  /// True after message_stop.
  bool done() const { return done_; }
  const std::string& model() const { return model_; }

 private:
  bool done_ = false;
  std::string model_;
  chat::Usage usage_;
  std::int64_t tool_calls_ = 0;
};

std::string write_error(const Error& error);
std::string write_stream_error(const Error& error);

}  // namespace minimill::protocol::anthropic
