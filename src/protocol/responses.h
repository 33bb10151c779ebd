#pragma once

// OpenAI's Responses wire format, server side.
// https://platform.openai.com/docs/api-reference/responses
//
//   Result<ResponsesRequest> request = parse_responses_request(body);
//   insert_history(*request, history);             // where it names a previous response
//   … request->chat goes the way of every chat …
//   response_object(head, answer), or ResponseStreamWriter per event
//
// Pure functions over text: ids and times come in. Errors are written by openai::write_error.

#include <boost/json.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "chat/chat_event.h"
#include "chat/chat_request.h"

namespace minimill::protocol::responses {

/// A summary in place of an answer: Codex asks for one when its context is full.
enum class Summary {
  kNone,
  kItem,    // the input ends with a compaction_trigger: the response's one item is a compaction
  kObject,  // POST /v1/responses/compact: what the user said, and the compaction
};

struct ResponsesRequest {
  /// The instructions, if any, as the first message, then the input's items as messages.
  chat::ChatRequest chat;
  bool has_instructions = false;     // chat.messages()[0] is they
  std::string previous_response_id;  // empty: a conversation begins
  bool store = true;
  Summary summary = Summary::kNone;
  std::vector<std::string> custom_tools =
      {};                          // by name: calls of them are written as they have to be
  boost::json::array input_items;  // as they are stored and shown; see normalised()
  /// The fields of the response that repeat the request: instructions, tools, metadata, … with
  /// what stands for those it leaves out.
  boost::json::object echo;
};

/// The body of POST /v1/responses. What OpenAI alone can do (its tools, files, prompts and
/// conversations, work in the background) is kUnsupported, naming the field; what is done otherwise
/// than asked is noted in chat.emulated. Tools that OpenAI runs itself are left out, and named by
/// fit_request; a custom tool is a function of one string. Unknown fields stay in chat.original().
Result<ResponsesRequest> parse_responses_request(std::string_view body);
/// The body of POST /v1/responses/compact.
Result<ResponsesRequest> parse_compact_request(std::string_view body);

/// Of normalised items the messages of the user, which a compacted conversation keeps.
boost::json::array said_by_user(const boost::json::array& items);

/// Puts what was said before between the instructions, which are never inherited, and the input.
void insert_history(ResponsesRequest& request, std::vector<chat::Message> history);

/// What a response says besides the model's words.
struct ResponseHead {
  std::string id;     // "resp_…"; its items' ids are made of it
  std::string model;  // the one that answers
  std::int64_t created_s = 0;
  boost::json::object echo;  // the request's
  Summary summary = Summary::kNone;
  std::vector<std::string> custom_tools = {};
  boost::json::array kept = {};  // with Summary::kObject: the items that the summary stands beside
};

/// The response object of a whole answer. Its output is the reasoning, the message and the function
/// calls, whichever there are; an answer of nothing at all is an empty message.
boost::json::object response_object(const ResponseHead& head, const chat::ChatAnswer& answer);

/// Which of a response's input items a client asks for.
struct ItemPage {
  static constexpr std::size_t kMaxItems = 100;
  std::size_t limit = 20;    // 1 to kMaxItems
  std::string after;         // the last id of the page before; empty: from the beginning
  bool newest_first = true;  // OpenAI's default
};

/// GET /v1/responses/{id}/input_items: a list object. kInvalidArgument, naming "limit" or "after",
/// for a limit out of its range and for an id that none of `items` has.
Result<std::string> write_input_items(const boost::json::array& items, const ItemPage& page);

/// DELETE /v1/responses/{id}.
std::string write_deleted(std::string_view id);

/// response.created … response.completed frames ("event: …\ndata: {…}\n\n"), deltas from templates
/// with the text escaped in.
///
/// Thoughts and words follow each other as items of their own: one ends where the other begins.
/// Function calls may grow side by side, as their pieces come; they end with the answer.
class ResponseStreamWriter {
 public:
  explicit ResponseStreamWriter(ResponseHead head);

  /// response.created and response.in_progress, so that the client need not wait for the first
  /// token to know that it was heard. Otherwise they come with the first event.
  void start(std::string& out);
  void write(const chat::ChatEvent& event, std::string& out);
  /// Ends what is open, then response.completed, or response.incomplete where the answer was cut.
  void finish(std::string& out);
  /// Instead of finish(): an error event, then response.failed with what there is so far. Some
  /// clients know only the one, some only the other.
  void fail(const Error& error, std::string& out);

  /// After finish() or fail(): the response as the last frame has it, with its output items.
  const boost::json::object& response() const { return response_; }

 private:
  enum class Kind { kReasoning, kMessage, kCall, kSummary };
  struct Item {
    Kind kind = Kind::kMessage;
    std::string id;
    std::string text;  // of kReasoning and kMessage
    std::vector<chat::TokenLogprob> logprobs;
    chat::ToolCall call;          // of kCall
    std::int64_t call_index = 0;  // the backend's number for it
    std::string_view status;
  };

  void begin_event(std::string_view type, std::string& out);
  void begin_item_event(std::string_view type, std::size_t index, std::string& out);
  void write_item_event(std::string_view type, std::size_t index, std::string& out);
  void write_response_event(std::string_view type, std::string& out);
  void open_item(Item item, std::string_view id_prefix, std::string& out);
  void close_item(std::size_t index, std::string_view status, std::string& out);
  /// The item in which words of this kind go on: the open one, or a new one.
  Item& speak(Kind kind, std::string& out);
  void stop_speaking(std::string& out);
  void write_text(const chat::TextDelta& delta, std::string& out);
  void write_reasoning(const std::string& text, std::string& out);
  void write_call(const chat::ToolCallDelta& delta, std::string& out);
  void close_call(std::size_t index, std::string& out);
  bool is_custom(const Item& item) const;
  boost::json::object item_json(const Item& item) const;
  boost::json::array output_json() const;

  ResponseHead head_;
  std::int64_t sequence_ = 0;
  bool started_ = false;
  std::vector<Item> items_;              // each at its output_index
  std::optional<std::size_t> speaking_;  // the open item of thoughts or words
  chat::FinishReason finish_ = chat::FinishReason::kStop;
  chat::Usage usage_;
  chat::AnswerParts summary_;  // where one is asked for
  boost::json::object response_;
};

}  // namespace minimill::protocol::responses
