#include <fmt/format.h>

#include <utility>

#include "base/json.h"
#include "protocol/function_tools.h"
#include "protocol/ollama.h"
#include "protocol/ollama_fields.h"
#include "protocol/ollama_messages.h"
#include "protocol/request_limits.h"

namespace minimill::protocol::ollama {
namespace {

using chat::Message;
using chat::Role;

constexpr std::int64_t kMaxTopLogprobs = 20;

/// A request while it is being read.
struct Reading : Request {
  chat::RequestDraft draft;
};

/// "json", or the schema that the answer has to follow.
void read_format(Fields& fields, chat::RequestDraft& request) {
  const json::value* format = fields.find("format");
  if (format == nullptr || *format == "") return;
  if (const json::object* schema = format->if_object()) {
    request.response_format = chat::ResponseFormat::kJsonSchema;
    request.json_schema = {{"name", "answer"}, {"schema", *schema}};
  } else if (*format == "json") {
    request.response_format = chat::ResponseFormat::kJsonObject;
  } else {
    fields.reject("format", "is none that minimill knows", "use \"json\" or a JSON schema");
  }
}

void read_think(Fields& fields, chat::RequestDraft& request) {
  const json::value* think = fields.find("think");
  if (think == nullptr) return;
  if (const bool* wanted = think->if_bool()) {
    request.reasoning_effort = *wanted ? "medium" : "none";
  } else if (*think == "low" || *think == "medium" || *think == "high") {
    request.reasoning_effort = think->get_string();
  } else {
    fields.reject("think", "is none that minimill knows",
                  "use true, false, \"low\", \"medium\" or \"high\"");
  }
}

/// What both endpoints have beside the conversation itself.
Result<> parse_common(const json::object& body, Reading& request) {
  Fields fields(body);
  request.draft.model = read_model(fields);
  request.draft.stream = fields.bool_or("stream", true);
  request.draft.logprobs = fields.bool_or("logprobs", false);
  request.draft.top_logprobs =
      fields.optional_integer("top_logprobs", 0, kMaxTopLogprobs).value_or(0);
  request.keep_alive = read_keep_alive(fields);
  read_format(fields, request.draft);
  read_think(fields, request.draft);
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return read_options(body, request.draft);
}

Result<> parse_chat(const json::object& body, Reading& request) {
  Fields fields(body);
  const json::array* messages = fields.optional_array("messages");
  const json::array* tools = fields.optional_array("tools");
  if (messages != nullptr && messages->size() > kMaxMessages) {
    fields.reject("messages", fmt::format("has more than {} entries", kMaxMessages));
  }
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  request.load_only = messages == nullptr || messages->empty();
  if (!request.load_only) {
    if (Result<> read = parse_messages(*messages, request.draft); !read) return read;
  }
  if (tools == nullptr) return {};
  return parse_function_tools(*tools, request.draft);
}

std::unexpected<Error> refuse(std::string_view field, std::string_view why, std::string hint) {
  return std::unexpected(
      fail(ErrorCode::kUnsupported, fmt::format("'{}' {}", field, why), std::move(hint))
          .error()
          .with_field(std::string(field)));
}

/// What goes around the model's own template, which every backend but Ollama applies itself.
Result<> refuse_unsupported(Fields& fields) {
  if (fields.bool_or("raw", false)) {
    return refuse("raw", "is not supported: the model's own template is always applied",
                  "send the text without template marks as prompt, or messages to /api/chat");
  }
  if (!fields.string_or("suffix", "").empty()) {
    return refuse("suffix", "is not supported: nothing is filled in before it",
                  "say in the prompt what stands before and after the gap");
  }
  if (!fields.string_or("template", "").empty()) {
    return refuse("template", "is not supported: the model's own is always applied",
                  "say in system what the template would have said");
  }
  if (const json::array* context = fields.optional_array("context");
      context != nullptr && !context->empty()) {
    return refuse("context", "is not supported: no answer has one to go on from",
                  "send the conversation so far as messages to /api/chat");
  }
  return {};
}

Result<> parse_generate(const json::object& body, Reading& request) {
  Fields fields(body);
  if (Result<> read = refuse_unsupported(fields); !read) return read;
  std::string system = fields.string_or("system", "");
  std::string prompt = fields.string_or("prompt", "");
  const json::array* images = fields.optional_array("images");
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  request.load_only = prompt.empty();
  if (request.load_only) return {};
  if (!system.empty()) {
    request.draft.messages.push_back(chat::text_message(Role::kSystem, std::move(system)));
  }
  Message message;
  if (images != nullptr) {
    if (Result<> read = parse_images(*images, "images", message); !read) return read;
  }
  message.parts.emplace_back(chat::Text{std::move(prompt)});
  request.draft.messages.push_back(std::move(message));
  return {};
}

Result<Request> parse_request(std::string_view text,
                              Result<> (*parse_conversation)(const json::object&, Reading&)) {
  Result<json::object> body = parse_json_object(text);
  if (!body) return std::unexpected(std::move(body.error()));
  Reading request;
  if (Result<> read = parse_common(*body, request); !read) {
    return std::unexpected(std::move(read.error()));
  }
  if (Result<> read = parse_conversation(*body, request); !read) {
    return std::unexpected(std::move(read.error()));
  }
  request.chat = chat::ChatRequest(std::move(request.draft),
                                   {.protocol = chat::Protocol::kOllama, .body = std::move(*body)});
  return std::move(static_cast<Request&>(request));
}

}  // namespace

Result<Request> parse_chat_request(std::string_view body) {
  return parse_request(body, parse_chat);
}

Result<Request> parse_generate_request(std::string_view body) {
  return parse_request(body, parse_generate);
}

}  // namespace minimill::protocol::ollama
