#pragma once

// What a backend answers: either events as they happen (a ChatStream) or all at once (a
// ChatAnswer).
//
// The order of events in a stream: any number of deltas, at most one UsageReport, exactly one
// Finish as the last but for the UsageReport, which may follow it (OpenAI's include_usage chunk
// does).

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "chat/chat_request.h"

namespace minimill::chat {

namespace asio = boost::asio;

struct Usage {
  std::int64_t prompt_tokens = 0;  // all of them, cached ones included
  std::int64_t completion_tokens = 0;
  std::int64_t cached_prompt_tokens = 0;
  bool estimated = false;  // from the text: the backend told no counts
  Usage& operator+=(const Usage& other);
  bool operator==(const Usage&) const = default;
};

enum class FinishReason { kStop, kLength, kToolCalls, kContentFilter };

/// How likely a token was to the model that wrote it, and what else it might have written there.
struct TokenLogprob {
  std::string token;
  double logprob = 0;
  std::vector<TokenLogprob> top;  // without `top` of their own
  bool operator==(const TokenLogprob&) const = default;
};

struct TextDelta {
  std::string text;
  std::vector<TokenLogprob> logprobs = {};  // of the tokens in `text`, where they were asked for
  bool operator==(const TextDelta&) const = default;
};

struct ReasoningDelta {
  std::string text;
  bool operator==(const ReasoningDelta&) const = default;
};

/// A piece of the `index`-th tool call: id and name come with its first piece, arguments in pieces.
struct ToolCallDelta {
  std::int64_t index = 0;
  std::string id;
  std::string name;
  std::string arguments;
  bool operator==(const ToolCallDelta&) const = default;
};

struct UsageReport {
  Usage usage;
  bool operator==(const UsageReport&) const = default;
};

struct Finish {
  FinishReason reason = FinishReason::kStop;
  bool operator==(const Finish&) const = default;
};

/// The bytes that the events after it, up to the next Frame, were read from: a whole SSE frame.
/// Comes only from a backend of the protocol that the app speaks, whose writer then passes frames
/// on as they are and nothing else; everybody else reads over it.
struct Frame {
  std::string bytes;
  bool operator==(const Frame&) const = default;
};

using ChatEvent =
    std::variant<TextDelta, ReasoningDelta, ToolCallDelta, UsageReport, Finish, Frame>;

/// A whole answer.
struct ChatAnswer {
  std::string model;  // what the backend says it was
  std::string text;
  std::string reasoning;
  std::vector<ToolCall> tool_calls;
  std::vector<TokenLogprob> logprobs = {};  // of `text`, where they were asked for
  FinishReason finish = FinishReason::kStop;
  Usage usage;

  Protocol protocol = Protocol::kOpenAi;  // of `body`
  std::string body;  // the backend's own JSON, for clients of the same protocol; may be empty

  bool operator==(const ChatAnswer&) const = default;
};

/// Adds one event to what has been gathered so far.
void accumulate(ChatAnswer& answer, const ChatEvent& event);

/// An answer being written. Pull-based, so that a slow reader slows the backend down instead of
/// filling memory. Destroying a stream cancels the backend's work. Event-loop thread only.
class ChatStream {
 public:
  virtual ~ChatStream() = default;
  /// The next event; nullopt once the stream has ended well. After an error or nullopt the stream
  /// is done and must not be asked again. An end before Finish is kUpstream, never a quiet nullopt.
  virtual asio::awaitable<Result<std::optional<ChatEvent>>> next() = 0;
  /// What the backend calls the model that answers; empty until it has said so.
  virtual const std::string& model() const = 0;
};

}  // namespace minimill::chat
