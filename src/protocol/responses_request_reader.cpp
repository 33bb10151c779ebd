#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "base/json.h"
#include "protocol/function_tools.h"
#include "protocol/request_limits.h"
#include "protocol/responses.h"
#include "protocol/responses_items.h"
#include "protocol/unsupported_field.h"
#include "protocol/utf8.h"

namespace minimill::protocol::responses {
namespace {

// OpenAI's own limits.
constexpr std::size_t kMaxMetadata = 16;
constexpr std::size_t kMaxMetadataKeyBytes = 64UL * 4;  // 64 characters
constexpr std::size_t kMaxMetadataValueBytes = 512UL * 4;
constexpr std::int64_t kMaxTopLogprobs = 20;
// Ours.
constexpr std::size_t kMaxIdBytes = 256;
constexpr std::size_t kMaxIncludes = 64;
constexpr std::size_t kShownBytes = 40;  // of a client's word in an error

constexpr std::string_view kLogprobs = "message.output_text.logprobs";
constexpr std::array<std::string_view, 7> kOtherIncludes{
    "code_interpreter_call.outputs", "computer_call_output.output.image_url",
    "file_search_call.results",      "message.input_image.image_url",
    "reasoning.encrypted_content",   "web_search_call.action.sources",
    "web_search_call.results"};
constexpr std::array<std::string_view, 6> kEfforts{"none",   "minimal", "low",
                                                   "medium", "high",    "xhigh"};

/// A request while it is being read.
struct Reading : ResponsesRequest {
  chat::RequestDraft draft;
};

Result<> verdict(Fields& fields) {
  if (!fields.ok()) return std::unexpected(std::move(fields).error());
  return {};
}

/// What the field holds, or null, for the response to repeat.
json::value repeated(const Fields& fields, std::string_view key) {
  const json::value* value = fields.find(key);
  return value == nullptr ? json::value(nullptr) : *value;
}

Result<> refuse_what_is_openais(Fields& fields) {
  if (fields.bool_or("background", false)) {
    return unsupported_field("background", "minimill does not answer in the background",
                             "use stream, or the task queue");
  }
  if (fields.find("conversation") != nullptr) {
    return unsupported_field("conversation", "minimill keeps no conversations",
                             "use previous_response_id");
  }
  if (fields.find("prompt") != nullptr) {
    return unsupported_field("prompt", "minimill keeps no prompts", "use instructions");
  }
  return verdict(fields);
}

Result<> parse_input(const Fields& fields, Reading& request) {
  const json::value* input = fields.find("input");
  if (input == nullptr) return fail_field("input", "'input' is required");
  if (input->is_string()) {
    const std::string_view text = input->get_string();
    request.draft.messages.push_back(chat::text_message(chat::Role::kUser, std::string(text)));
    request.input_items = normalised(text);
    return {};
  }
  const json::array* items = input->if_array();
  if (items == nullptr || items->empty() || items->size() > kMaxMessages) {
    return fail_field("input",
                      fmt::format("'input' must be a string or 1 to {} items", kMaxMessages));
  }
  Result<std::vector<chat::Message>> messages = messages_of(*items, "input");
  if (!messages) return std::unexpected(std::move(messages.error()));
  if (messages->empty()) return fail_field("input", "'input' holds nothing that is said");
  std::ranges::move(*messages, std::back_inserter(request.draft.messages));
  request.input_items = normalised(*items);
  if (has_reasoning(*items)) request.draft.emulated.emplace_back("reasoning items left out");
  if (request.summary == Summary::kNone && asks_for_compaction(*items)) {
    request.summary = Summary::kItem;
  }
  return {};
}

Result<> parse_tool(const json::value& value, const std::string& path, Reading& request) {
  const json::object* tool = value.if_object();
  if (tool == nullptr) return fail_field(path, fmt::format("'{}' must be an object", path));
  Fields fields(*tool, path + ".");
  const std::string type = fields.required_string("type");
  if (Result<> read = verdict(fields); !read) return read;
  // What OpenAI runs itself, or knows how to use, lives on in the body: translation.h names it.
  if (type != "function" && type != "custom") {
    request.echo["tools"].get_array().push_back(value);
    return {};
  }
  chat::Tool parsed;
  parsed.name = fields.required_string("name");
  parsed.description = fields.string_or("description", "");
  if (Result<> read = verdict(fields); !read) return read;
  if (type == "custom") {
    request.echo["tools"].get_array().push_back(value);
    request.custom_tools.push_back(parsed.name);
    request.draft.tools.push_back(
        custom_tool(std::move(parsed.name), std::move(parsed.description), *tool));
    return {};
  }
  if (const json::object* parameters = fields.optional_object("parameters")) {
    parsed.parameters = *parameters;
  }
  const bool strict = fields.bool_or("strict", false);
  if (fields.find("strict") != nullptr) parsed.strict = strict;
  if (Result<> read = verdict(fields); !read) return read;
  request.echo["tools"].get_array().push_back({{"type", "function"},
                                               {"name", parsed.name},
                                               {"description", repeated(fields, "description")},
                                               {"parameters", parsed.parameters},
                                               {"strict", strict}});
  request.draft.tools.push_back(std::move(parsed));
  return {};
}

Result<> parse_tools(Fields& fields, Reading& request) {
  request.echo["tools"] = json::array();
  const json::array* tools = fields.optional_array("tools");
  if (tools == nullptr) return verdict(fields);
  if (tools->size() > kMaxTools) {
    return fail_field("tools", fmt::format("'tools' has more than {} entries", kMaxTools));
  }
  for (std::size_t i = 0; i < tools->size(); ++i) {
    Result<> read = parse_tool((*tools)[i], fmt::format("tools[{}]", i), request);
    if (!read) return read;
  }
  return {};
}

Result<> parse_tool_choice(const Fields& fields, Reading& request) {
  request.echo["tool_choice"] = "auto";
  const json::value* choice = fields.find("tool_choice");
  if (choice == nullptr) return {};
  if (const json::object* named = choice->if_object()) {
    Fields inner(*named, "tool_choice.");
    const std::string type = inner.required_string("type");
    if (inner.ok() && type == "allowed_tools") {
      request.echo["tool_choice"] = *choice;
      return allow_tools(*named, request.draft);
    }
    if (inner.ok() && type != "function" && type != "custom") {
      return unsupported_field(
          "tool_choice.type",
          fmt::format("'tool_choice.type' is '{}', which minimill does not know",
                      utf8_prefix(type, kShownBytes)),
          "use auto, none, required, or name a function");
    }
    request.draft.tool_choice = chat::ToolChoice::kNamed;
    request.draft.tool_name = inner.required_string("name");
    if (Result<> read = verdict(inner); !read) return read;
    request.echo["tool_choice"] = {{"type", type}, {"name", request.draft.tool_name}};
    return {};
  }
  if (*choice == "none") {
    request.draft.tool_choice = chat::ToolChoice::kNone;
  } else if (*choice == "required") {
    request.draft.tool_choice = chat::ToolChoice::kRequired;
  } else if (*choice != "auto") {
    return fail_field("tool_choice", "'tool_choice' is none that minimill knows",
                      "use auto, none, required, or name a function");
  }
  request.echo["tool_choice"] = *choice;
  return {};
}

/// text.format carries flat what Chat Completions wraps in "json_schema".
Result<> parse_format(const json::object& format, Reading& request) {
  Fields fields(format, "text.format.");
  const std::string type = fields.required_string("type");
  if (type == "json_object") {
    request.draft.response_format = chat::ResponseFormat::kJsonObject;
  } else if (type == "json_schema") {
    request.draft.response_format = chat::ResponseFormat::kJsonSchema;
    json::object& schema = request.draft.json_schema;
    schema["name"] = fields.required_string("name");
    if (auto description = fields.optional_string("description")) {
      schema["description"] = *description;
    }
    const json::object* inner = fields.optional_object("schema");
    if (inner == nullptr) {
      fields.reject("schema", "is required");
    } else {
      schema["schema"] = *inner;
    }
    schema["strict"] = fields.bool_or("strict", false);
  } else if (fields.ok() && type != "text") {
    fields.reject("type", "is none that minimill knows", "use text, json_object or json_schema");
  }
  return verdict(fields);
}

Result<> parse_text(Fields& fields, Reading& request) {
  json::object echo{{"format", {{"type", "text"}}}};
  if (const json::object* text = fields.optional_object("text")) {
    Fields inner(*text, "text.");
    if (const json::object* format = inner.optional_object("format")) {
      if (Result<> read = parse_format(*format, request); !read) return read;
      echo["format"] = *format;
    }
    const std::string verbosity = inner.string_or("verbosity", "medium");
    if (verbosity != "low" && verbosity != "medium" && verbosity != "high") {
      inner.reject("verbosity", "must be low, medium or high");
    }
    if (verbosity != "medium") request.draft.emulated.emplace_back("text.verbosity left out");
    if (Result<> read = verdict(inner); !read) return read;
  }
  request.echo["text"] = std::move(echo);
  return verdict(fields);
}

Result<> parse_reasoning(Fields& fields, Reading& request) {
  json::object echo{{"effort", nullptr}, {"summary", nullptr}};
  if (const json::object* reasoning = fields.optional_object("reasoning")) {
    Fields inner(*reasoning, "reasoning.");
    if (auto effort = inner.optional_string("effort")) {
      if (std::ranges::find(kEfforts, *effort) == kEfforts.end()) {
        inner.reject("effort", "is none that minimill knows",
                     "use none, minimal, low, medium, high or xhigh");
      }
      echo["effort"] = *effort;
      request.draft.reasoning_effort = std::move(*effort);
    }
    // A local model's thoughts are shown as they are, whatever summary is asked for.
    const std::string summary = inner.string_or("summary", "auto");
    if (summary != "auto" && summary != "concise" && summary != "detailed") {
      inner.reject("summary", "must be auto, concise or detailed");
    }
    echo["summary"] = repeated(inner, "summary");
    if (Result<> read = verdict(inner); !read) return read;
  }
  request.echo["reasoning"] = std::move(echo);
  return verdict(fields);
}

/// Log-probabilities are the one thing on OpenAI's list that minimill has to give.
Result<> parse_include(Fields& fields, Reading& request) {
  const json::array* include = fields.optional_array("include");
  if (include == nullptr) return verdict(fields);
  if (include->size() > kMaxIncludes) {
    return fail_field("include", fmt::format("'include' has more than {} entries", kMaxIncludes));
  }
  for (std::size_t i = 0; i < include->size(); ++i) {
    const json::string* wanted = (*include)[i].if_string();
    if (wanted != nullptr && *wanted == kLogprobs) {
      request.draft.logprobs = true;
      continue;
    }
    const auto* known = wanted == nullptr
                            ? kOtherIncludes.end()
                            : std::ranges::find(kOtherIncludes, std::string_view(*wanted));
    if (known == kOtherIncludes.end()) {
      const std::string path = fmt::format("include[{}]", i);
      return fail_field(path, fmt::format("'{}' is nothing that minimill knows", path),
                        fmt::format("use {}", kLogprobs));
    }
    request.draft.emulated.push_back(fmt::format("{} left out", *known));
  }
  return {};
}

Result<> parse_metadata(Fields& fields, Reading& request) {
  request.echo["metadata"] = json::object();
  const json::object* metadata = fields.optional_object("metadata");
  if (metadata == nullptr) return verdict(fields);
  bool fits = metadata->size() <= kMaxMetadata;
  for (const json::key_value_pair& pair : *metadata) {
    fits = fits && pair.key().size() <= kMaxMetadataKeyBytes && pair.value().is_string() &&
           pair.value().get_string().size() <= kMaxMetadataValueBytes;
  }
  if (!fits) {
    fields.reject("metadata",
                  fmt::format("must be at most {} strings, keys of 64 and values of 512 characters",
                              kMaxMetadata));
  }
  request.echo["metadata"] = *metadata;
  return verdict(fields);
}

Result<> parse_sampling(Fields& fields, Reading& request) {
  chat::RequestDraft& chat = request.draft;
  chat.sampling.temperature = fields.optional_number("temperature", 0, 2);
  chat.sampling.top_p = fields.optional_number("top_p", 0, 1);
  chat.sampling.max_tokens = fields.optional_integer("max_output_tokens", 1, kMaxAnswerTokens);
  const auto top = fields.optional_integer("top_logprobs", 0, kMaxTopLogprobs).value_or(0);
  if (chat.logprobs) chat.top_logprobs = top;
  const std::string truncation = fields.string_or("truncation", "disabled");
  if (truncation == "auto") {
    chat.emulated.emplace_back("truncation disabled");
  } else if (truncation != "disabled") {
    fields.reject("truncation", "must be auto or disabled");
  }
  for (const std::string_view key : {"temperature", "top_p", "max_output_tokens"}) {
    request.echo[key] = repeated(fields, key);
  }
  request.echo["top_logprobs"] = top;
  request.echo["truncation"] = "disabled";  // what is done, not what was asked
  return verdict(fields);
}

Result<> parse_flags(Fields& fields, Reading& request) {
  request.store = fields.bool_or("store", true);
  request.draft.stream = fields.bool_or("stream", false);
  request.draft.include_usage = true;  // every response has it
  if (fields.find("parallel_tool_calls") != nullptr) {
    request.draft.parallel_tool_calls = fields.bool_or("parallel_tool_calls", true);
  }
  request.previous_response_id = fields.string_or("previous_response_id", "");
  if (request.previous_response_id.size() > kMaxIdBytes) {
    fields.reject("previous_response_id", fmt::format("must have at most {} bytes", kMaxIdBytes));
  }
  for (const std::string_view key :
       {"previous_response_id", "user", "safety_identifier", "prompt_cache_key"}) {
    (void)fields.optional_string(key);
    request.echo[key] = repeated(fields, key);
  }
  (void)fields.optional_string("service_tier");
  request.echo["service_tier"] = "default";  // there is but one
  request.echo["store"] = request.store;
  request.echo["parallel_tool_calls"] = request.draft.parallel_tool_calls.value_or(true);
  return verdict(fields);
}

Result<> parse_words(Fields& fields, Reading& request) {
  request.draft.model = fields.required_string("model");
  if (request.draft.model.empty() || request.draft.model.size() > kMaxModelBytes) {
    fields.reject("model", fmt::format("must have 1 to {} bytes", kMaxModelBytes));
  }
  std::string instructions = fields.string_or("instructions", "");
  request.echo["instructions"] = repeated(fields, "instructions");
  if (Result<> read = verdict(fields); !read) return read;
  request.has_instructions = !instructions.empty();
  if (request.has_instructions) {
    request.draft.messages.push_back(
        chat::text_message(chat::Role::kSystem, std::move(instructions)));
  }
  return parse_input(fields, request);
}

/// A summary is asked for in words, after all that was said.
void ask_for_summary(chat::RequestDraft& draft) {
  constexpr std::string_view kAsk =
      "Sum up this conversation so that the work can go on from your summary alone: what is "
      "wanted, what was decided and done, names, paths and figures that are still needed, and what "
      "is left to do. Answer with the summary only.";
  draft.messages.push_back(chat::text_message(chat::Role::kUser, std::string(kAsk)));
  draft.response_format = chat::ResponseFormat::kText;
  draft.tool_choice = chat::ToolChoice::kNone;
  draft.tool_name.clear();
}

Result<ResponsesRequest> parse(std::string_view body, Summary summary) {
  Result<json::object> parsed = parse_json_object(body);
  if (!parsed) return std::unexpected(std::move(parsed.error()));
  Reading request;
  request.summary = summary;
  Fields fields(*parsed);
  Result<> read = refuse_what_is_openais(fields);
  if (read) read = parse_words(fields, request);
  if (read) read = parse_tools(fields, request);
  if (read) read = parse_tool_choice(fields, request);
  if (read) read = parse_text(fields, request);
  if (read) read = parse_reasoning(fields, request);
  if (read) read = parse_include(fields, request);
  if (read) read = parse_metadata(fields, request);
  if (read) read = parse_sampling(fields, request);
  if (read) read = parse_flags(fields, request);
  if (!read) return std::unexpected(std::move(read.error()));
  if (request.summary != Summary::kNone) ask_for_summary(request.draft);
  request.chat =
      chat::ChatRequest(std::move(request.draft),
                        {.protocol = chat::Protocol::kResponses, .body = std::move(*parsed)});
  return std::move(static_cast<ResponsesRequest&>(request));
}

}  // namespace

Result<ResponsesRequest> parse_responses_request(std::string_view body) {
  return parse(body, Summary::kNone);
}

Result<ResponsesRequest> parse_compact_request(std::string_view body) {
  return parse(body, Summary::kObject);
}

void insert_history(ResponsesRequest& request, std::vector<chat::Message> history) {
  const bool instructed = request.has_instructions;
  request.chat.edit([&history, instructed](chat::RequestParts& parts) {
    parts.messages.insert(parts.messages.begin() + (instructed ? 1 : 0),
                          std::make_move_iterator(history.begin()),
                          std::make_move_iterator(history.end()));
  });
}

}  // namespace minimill::protocol::responses
