#pragma once

// What an app asks for, whichever protocol it asked in. Protocol adapters make a ChatRequest of a
// body and write a body from a ChatRequest; past them nothing knows a wire format.
//
// A ChatRequest is a value. What minimill does not model (a vendor's own field) lives on in `body`,
// the JSON object as it arrived, and is passed through where the backend speaks the same protocol.

#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
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

/// The model's wish to have a tool called. `arguments` is JSON text, as the model wrote it.
struct ToolCall {
  std::string id;
  std::string name;
  std::string arguments;
  bool operator==(const ToolCall&) const = default;
};

/// What a tool answered to the call `call_id`.
struct ToolResult {
  std::string call_id;
  std::string text;
  bool operator==(const ToolResult&) const = default;
};

using Part = std::variant<Text, Image, ToolCall, ToolResult>;

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
  json::object parameters;  // JSON Schema
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

struct ChatRequest {
  std::string model;  // what the app asked for: a real name, or "auto", "local", "cloud"
  std::vector<Message> messages;
  std::vector<Tool> tools;
  ToolChoice tool_choice = ToolChoice::kAuto;
  std::string tool_name;  // with kNamed
  ResponseFormat response_format = ResponseFormat::kText;
  json::object json_schema;  // with kJsonSchema: OpenAI's {"name", "schema", "strict"}
  Sampling sampling;
  json::object logit_bias;                  // token id → -100 … 100
  bool logprobs = false;                    // the app wants the tokens' log-probabilities
  std::int64_t top_logprobs = 0;            // and those of so many others at each place
  std::int64_t choices = 1;                 // answers wanted: OpenAI's n
  std::optional<bool> parallel_tool_calls;  // unset: the backend's own way
  std::string reasoning_effort;  // "low", "medium", "high", …; empty: the backend's own way
  Deadline deadline;             // of the whole answer
  bool stream = false;
  bool include_usage = false;  // the app wants a last chunk with token counts

  /// What was done in place of what was asked, for the answer's headers: "raw prompt as a message".
  std::vector<std::string> emulated;

  std::string beta;  // Anthropic's header of features asked for by name; goes with `body`

  Protocol protocol = Protocol::kOpenAi;  // of `body`
  json::object body;                      // as it arrived; empty for requests minimill makes itself

  bool operator==(const ChatRequest&) const = default;
};

/// What is left until the deadline: at least 1 ms; 0 where there is none.
std::chrono::milliseconds time_left(Deadline deadline);

/// Every Text of every message, in order, separated by line feeds: what features are read from.
std::string prompt_text(const ChatRequest& request);

}  // namespace minimill::chat
