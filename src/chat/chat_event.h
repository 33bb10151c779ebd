#pragma once

// What a backend answers: either events as they happen (a ChatStream) or all at once (a
// ChatAnswer).
//
// The order of events in a stream: any number of deltas and UsageReports, exactly one Finish as the
// last but for a UsageReport, which may follow it (OpenAI's include_usage chunk does). Each
// UsageReport counts all that was used so far: the last one stands.

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
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
  // Of the prompt's tokens, those that the provider keeps for later requests, for so long: it takes
  // more for them than for others.
  std::int64_t cache_write_5m_tokens = 0;
  std::int64_t cache_write_1h_tokens = 0;
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
/// on as they are and nothing else; everybody else reads over it. Whoever changes events on their
/// way takes the frames out (chat/edited_stream.h): they say what the events said before.
struct Frame {
  std::string bytes;
  bool operator==(const Frame&) const = default;
};

using ChatEvent =
    std::variant<TextDelta, ReasoningDelta, ToolCallDelta, UsageReport, Finish, Frame>;

/// What a whole answer says.
struct AnswerParts {
  std::string model;  // what the backend says it was
  std::string text;
  std::string reasoning;
  std::vector<ToolCall> tool_calls;
  std::vector<TokenLogprob> logprobs = {};  // of `text`, where they were asked for
  FinishReason finish = FinishReason::kStop;
  Usage usage;

  bool operator==(const AnswerParts&) const = default;
};

/// Adds one event to what has been gathered so far.
void accumulate(AnswerParts& answer, const ChatEvent& event);

/// The backend's own JSON.
struct OriginalAnswer {
  Protocol protocol = Protocol::kOpenAi;
  std::string body;
  bool operator==(const OriginalAnswer&) const = default;
};

/// A whole answer. As with ChatRequest, `edit` is the only way to change it: until then a client of
/// the backend's protocol gets the backend's own bytes, and from then on what the parts say.
class ChatAnswer {
 public:
  ChatAnswer() = default;
  explicit ChatAnswer(AnswerParts parts) : parts_(std::move(parts)) {}
  /// As it was read from a backend's body.
  ChatAnswer(AnswerParts parts, OriginalAnswer original)
      : parts_(std::move(parts)), original_(std::move(original)) {}

  const AnswerParts& parts() const { return parts_; }
  const std::string& model() const { return parts_.model; }
  const std::string& text() const { return parts_.text; }
  const std::string& reasoning() const { return parts_.reasoning; }
  const std::vector<ToolCall>& tool_calls() const { return parts_.tool_calls; }
  const std::vector<TokenLogprob>& logprobs() const { return parts_.logprobs; }
  FinishReason finish() const { return parts_.finish; }
  const Usage& usage() const { return parts_.usage; }

  /// Calls `change` with the parts to be changed; what the backend wrote is forgotten.
  template <class Change>
  void edit(Change&& change) {
    original_.reset();
    std::forward<Change>(change)(parts_);
  }
  /// Counts the tokens in the place of a backend that did not. What it said is no other for that.
  void set_usage(Usage usage) { parts_.usage = usage; }

  /// What may be passed on as it is to a client of its protocol; nullptr where there is no such
  /// thing.
  const OriginalAnswer* untouched() const { return original_ ? &*original_ : nullptr; }

  bool operator==(const ChatAnswer&) const = default;

 private:
  AnswerParts parts_;
  std::optional<OriginalAnswer> original_;
};

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
