#pragma once

// What an app asks for, whichever protocol it asked in. Protocol adapters make a ChatRequest of a
// body and write a body from a ChatRequest; past them nothing knows a wire format.
//
// A ChatRequest has one truth. Reading is free; `edit` is the only way to change what is asked:
//
//   request.messages();                                               // as the app sent them
//   request.edit([](RequestParts& parts) { parts.sampling.seed = 7; });
//
// Until it is edited, a request passes as it arrived to a backend of its own protocol, with every
// field of a vendor's own. From the first edit on its parts are the truth: a field of the body that
// an edit touched is written from them, and the others, those that no part covers among them, are
// as they came. So what was edited is what is sent, and nothing of what it was before.

#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace minimill::chat {

namespace json = boost::json;

/// Wire formats: OpenAI's chat completions, Anthropic's messages, OpenAI's responses, Ollama's API,
/// and OpenAI's completions of plain prompts.
enum class Protocol { kOpenAi, kAnthropic, kResponses, kOllama, kCompletions };

enum class Role { kSystem, kUser, kAssistant, kTool };

struct Text {
  std::string text;
  bool operator==(const Text&) const = default;
};

/// An image by URL or as base64 data ("data:image/png;base64,…" in OpenAI's form).
struct Image {
  std::string url;
  bool operator==(const Image&) const = default;
};

/// A document (a PDF, say) by URL or as base64 data, like an image.
struct File {
  std::string name;  // may be empty
  std::string url;
  bool operator==(const File&) const = default;
};

/// A block of a protocol's own that no part here models. It goes as it is to a backend of that
/// protocol; for any other, protocol/translation.h says what becomes of it.
struct Foreign {
  Protocol protocol = Protocol::kOpenAi;
  std::string at;  // where it stood: "messages[2].content[0]"
  json::object block;
  bool operator==(const Foreign&) const = default;
};

/// The model's wish to have a tool called. `arguments` is JSON text, as the model wrote it.
struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;
  bool operator==(const ToolCall&) const = default;
};

/// What a tool answered to the call `call_id`: words, and what it shows beside them.
struct ToolResult {
  using Shown = std::variant<Image, File, Foreign>;
  std::string call_id;
  std::string text;
  std::vector<Shown> shown = {};
  bool operator==(const ToolResult&) const = default;
};

using Part = std::variant<Text, Image, ToolCall, ToolResult, File, Foreign>;

struct Message {
  Role role = Role::kUser;
  std::vector<Part> parts;

  /// All Text parts, joined by line feeds.
  std::string text() const;
  bool operator==(const Message&) const = default;
};

Message text_message(Role role, std::string text);

struct Tool {
  std::string name;
  std::string description;
  json::object parameters;                    // JSON Schema
  std::optional<bool> strict = std::nullopt;  // the arguments must fit the schema; unset: not said
  /// OpenAI's kind of tool whose argument is free text. To whoever knows functions only it is one
  /// with a string `input`, and that is what `parameters` says.
  bool custom = false;
  bool operator==(const Tool&) const = default;
};

enum class ToolChoice { kAuto, kNone, kRequired, kNamed };

enum class ResponseFormat { kText, kJsonObject, kJsonSchema };

struct Sampling {
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<std::int64_t> max_tokens;
  std::optional<std::int64_t> seed;
  std::vector<std::string> stop;
  std::optional<double> presence_penalty;
  std::optional<double> frequency_penalty;
  std::optional<double> min_p;
  std::optional<double> repeat_penalty;
  std::optional<std::int64_t> top_k;
  bool operator==(const Sampling&) const = default;
};

using Deadline = std::optional<std::chrono::steady_clock::time_point>;

/// What is asked.
struct RequestParts {
  std::string model;  // what the app asked for: a real name, or "auto", "local", "cloud"
  std::vector<Message> messages;
  std::vector<Tool> tools;
  ToolChoice tool_choice = ToolChoice::kAuto;
  std::string tool_name;  // with kNamed
  ResponseFormat response_format = ResponseFormat::kText;
  json::object json_schema;  // with kJsonSchema: OpenAI's {"name", "schema", "strict"}
  Sampling sampling;
  json::object logit_bias;                  // token id → -100 … 100
  std::int64_t top_logprobs = 0;            // of so many other tokens at each place
  std::optional<bool> parallel_tool_calls;  // unset: the backend's own way
  std::string reasoning_effort;  // "low", "medium", "high", …; empty: the backend's own way

  bool operator==(const RequestParts&) const = default;
};

/// How the answer is to come. minimill has wishes of its own on the way (log-probabilities to watch
/// a model by, one choice in place of several), so they may be set; whoever writes a body for a
/// backend goes by them, whatever the body said that arrived.
struct RequestWishes {
  bool logprobs = false;     // the tokens' log-probabilities
  std::int64_t choices = 1;  // answers wanted: OpenAI's n
  bool stream = false;
  bool include_usage = false;  // the app wants a last chunk with token counts
  Deadline deadline;           // of the whole answer

  /// What was done in place of what was asked, for the answer's headers: "raw prompt as a message".
  std::vector<std::string> emulated;

  std::string beta;  // Anthropic's header of features asked for by name; goes to Anthropic alone

  bool operator==(const RequestWishes&) const = default;
};

/// What a protocol's reader fills in.
struct RequestDraft : RequestParts, RequestWishes {};

/// A body as it arrived.
struct OriginalRequest {
  Protocol protocol = Protocol::kOpenAi;
  json::object body;
  bool operator==(const OriginalRequest&) const = default;
};

class ChatRequest : public RequestWishes {
 public:
  /// Of minimill's own making.
  ChatRequest() = default;
  explicit ChatRequest(RequestParts parts) : parts_(std::move(parts)) {}
  /// As it was read from a client's body.
  ChatRequest(RequestDraft draft, OriginalRequest original);

  const RequestParts& parts() const { return parts_; }
  const std::string& model() const { return parts_.model; }
  const std::vector<Message>& messages() const { return parts_.messages; }
  const std::vector<Tool>& tools() const { return parts_.tools; }
  ToolChoice tool_choice() const { return parts_.tool_choice; }
  const std::string& tool_name() const { return parts_.tool_name; }
  ResponseFormat response_format() const { return parts_.response_format; }
  const json::object& json_schema() const { return parts_.json_schema; }
  const Sampling& sampling() const { return parts_.sampling; }
  const json::object& logit_bias() const { return parts_.logit_bias; }
  std::int64_t top_logprobs() const { return parts_.top_logprobs; }
  std::optional<bool> parallel_tool_calls() const { return parts_.parallel_tool_calls; }
  const std::string& reasoning_effort() const { return parts_.reasoning_effort; }

  /// Calls `change` with the parts to be changed.
  template <class Change>
  void edit(Change&& change) {
    begin_edit();
    std::forward<Change>(change)(parts_);
  }

  /// What may be passed on as it is to a backend of its protocol: what arrived, and was not edited
  /// since. nullptr where there is no such thing.
  const OriginalRequest* untouched() const {
    return before_ == nullptr ? original_.get() : nullptr;
  }

  /// What arrived, edited since or not: good for fields that no part covers, and for telling the
  /// app what became of its own. Never to be passed on whole. nullptr for minimill's own requests.
  const OriginalRequest* original() const { return original_.get(); }

  /// The parts before the first edit: what differs from them was edited.
  const RequestParts& parts_before() const { return before_ == nullptr ? parts_ : *before_; }

  bool operator==(const ChatRequest& other) const;

 private:
  void begin_edit();

  RequestParts parts_;
  // Shared by the copies of a request that are asked of several backends; nobody changes them.
  std::shared_ptr<const OriginalRequest> original_;
  std::shared_ptr<const RequestParts> before_;  // set once an original has been edited
};

/// What is left until the deadline: at least 1 ms; 0 where there is none.
std::chrono::milliseconds time_left(Deadline deadline);

/// Every Text of every message, in order, separated by line feeds: what features are read from.
std::string prompt_text(const ChatRequest& request);

/// About how many tokens a backend reads: texts, tools, calls and their results, pictures.
std::int64_t estimated_prompt_tokens(const ChatRequest& request);

}  // namespace minimill::chat
