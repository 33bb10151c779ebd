#pragma once

// The OpenAI Chat Completions wire format, both ways.
// https://platform.openai.com/docs/api-reference/chat
//
//   server side: parse_chat_request → … → write_answer, or StreamWriter per event
//   client side: write_chat_request → … → parse_answer, or StreamReader per SSE data
//
// Pure functions over text; every byte in is hostile: bounded, validated, errors name the field.

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"
#include "protocol/dialect.h"
#include "protocol/target.h"

namespace minimill::protocol::openai {

/// The body of POST /v1/chat/completions. Unknown fields stay in ChatRequest::original.
Result<chat::ChatRequest> parse_chat_request(std::string_view body);

/// A body for a backend that speaks OpenAI's protocol and calls its model `model`. A request that
/// arrived in this protocol keeps every field it came with; only model, stream and stream_options
/// are replaced. One that was edited, is from another protocol, or made by minimill, is written
/// from its parts. llama-server (`target`) answers once, knows one name for the limit of tokens,
/// and takes sampling that OpenAI does not have. Its templates may be strict about system messages,
/// so it gets one, at the beginning. `dialect` says what else a provider wants.
std::string write_chat_request(const chat::ChatRequest& request, std::string_view model,
                               bool stream, Target target = Target::kOpenAi,
                               const Dialect& dialect = {});

/// A whole chat.completion object. Anything else is kUpstream.
Result<chat::ChatAnswer> parse_answer(std::string body);
/// The backend's own bytes where its protocol is this one and nothing has edited the answer.
std::string write_answer(const chat::ChatAnswer& answer, std::string_view id,
                         std::int64_t created_s);

/// Several answers to one request as the choices of one object; usage is their sum.
std::string write_answers(const std::vector<chat::ChatAnswer>& answers, std::string_view id,
                          std::int64_t created_s);

/// chat.completion.chunk objects in SSE frames ("data: {…}\n\n"), from a template with the text
/// escaped in.
class StreamWriter {
 public:
  StreamWriter(std::string_view id, std::string_view model, std::int64_t created_s,
               bool include_usage);
  /// Appends the frames for one event to `out`.
  void write(const chat::ChatEvent& event, std::string& out);
  /// What comes now is the next answer of several.
  void next_choice();
  /// The usage chunk, if asked for, and "data: [DONE]\n\n".
  void finish(std::string& out);

 private:
  void open_chunk(std::string& out) const;

  std::string head_;  // {"id":…,"object":…,"created":…,"model":…
  bool include_usage_;
  bool role_sent_ = false;
  int choice_ = 0;
  chat::Usage usage_;  // of the choices before
  chat::Usage choice_usage_;
};

/// Events out of the `data` of each SSE event of a streamed answer.
class StreamReader {
 public:
  /// Appends to `events`, in chat_event.h's order: what comes after Finish is only the UsageReport.
  /// Empty data and chunks without choices are read over; a call without an id gets one.
  /// kUpstream for anything that is no JSON object, for a tool call's impossible index, and for an
  /// error object inside the stream (with its message).
  Result<> read(std::string_view data, std::vector<chat::ChatEvent>& events);
  /// True after "[DONE]".
  bool done() const { return done_; }
  const std::string& model() const { return model_; }

 private:
  Result<> read_choice(const boost::json::object& choice, std::string_view data,
                       std::vector<chat::ChatEvent>& events);
  Result<> read_tool_calls(const boost::json::array& calls, std::string_view data,
                           std::vector<chat::ChatEvent>& events);
  std::optional<std::int64_t> call_at(std::int64_t index, std::string_view id);

  /// A call as the backend numbers it. Some give several calls the same number.
  struct Call {
    std::int64_t index = 0;
    std::string id;
  };

  std::vector<Call> calls_;  // as they began, which is how events number them
  bool done_ = false;
  bool finished_ = false;
  std::string model_;
};

/// {"error": {"message", "type", "param", "code"}}: the hint is part of the message. Valid JSON
/// whatever bytes the message holds.
std::string write_error(const Error& error);
/// The same inside a stream that has already begun: an SSE frame.
std::string write_stream_error(const Error& error);

/// GET /v1/models.
struct ModelEntry {
  std::string id;
  std::int64_t created_s = 0;
  std::string owned_by;
};
std::string write_models(const std::vector<ModelEntry>& models);
/// GET /v1/models/{id}.
std::string write_model(const ModelEntry& model);

}  // namespace minimill::protocol::openai
