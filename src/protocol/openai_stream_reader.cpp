#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "protocol/answer_fields.h"
#include "protocol/openai.h"
#include "protocol/openai_fields.h"
#include "protocol/upstream_text.h"

namespace minimill::protocol::openai {
namespace {

/// The call that a piece belongs to: its own index, else its place in the chunk. nullopt where it
/// is none that a call can have.
std::optional<std::int64_t> index_of(const json::object& call, std::size_t place) {
  const json::value* index = call.if_contains("index");
  if (index == nullptr || index->is_null()) return static_cast<std::int64_t>(place);
  return tokens_in(call, "index");
}

void read_words(const json::object& delta, std::vector<chat::TokenLogprob> logprobs,
                std::vector<chat::ChatEvent>& events) {
  if (const std::string_view reasoning = reasoning_in(delta); !reasoning.empty()) {
    events.emplace_back(chat::ReasoningDelta{std::string(reasoning)});
  }
  if (const std::string_view text = text_in(delta, "content"); !text.empty()) {
    events.emplace_back(chat::TextDelta{std::string(text), std::move(logprobs)});
  }
}

bool is_first(const json::object& choice) {
  const json::value* index = choice.if_contains("index");
  return index == nullptr || *index == 0;
}

Error broken_off(const json::value& error, const json::object& chunk) {
  const std::string said = error_message(chunk);
  Error failure;
  failure.code = ErrorCode::kUpstream;
  failure.message = fmt::format("broke off its answer: {}",
                                said.empty() ? one_line(json::serialize(error)) : said);
  return failure;
}

}  // namespace

Result<> StreamReader::read(std::string_view data, std::vector<chat::ChatEvent>& events) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = std::min(data.find_first_not_of(kBlanks), data.size());
  data = data.substr(first, data.find_last_not_of(kBlanks) + 1 - first);
  if (data.empty()) return {};  // to keep the connection open
  if (data == "[DONE]") {
    done_ = true;
    return {};
  }
  const Result<json::object> chunk = parse_provider_object(data);
  if (!chunk) return garbage("a chat completion chunk", data);
  if (const json::value* error = chunk->if_contains("error"); error && !error->is_null()) {
    return std::unexpected(broken_off(*error, *chunk));
  }
  const json::array* choices = array_in(*chunk, "choices");
  const json::object* usage = object_in(*chunk, "usage");
  if (const std::string_view model = text_in(*chunk, "model"); !model.empty()) model_ = model;
  if (choices != nullptr) {
    for (const json::value& each : *choices) {
      const json::object* choice = each.if_object();
      if (choice == nullptr) return garbage("a chat completion chunk", data);
      if (Result<> read = read_choice(*choice, data, events); !read) return read;
    }
  }
  if (usage != nullptr) events.emplace_back(chat::UsageReport{usage_of(*usage)});
  return {};
}

/// The call that a piece belongs to: the last of its number, or, where its id is another's, a new
/// one. nullopt where there are too many.
std::optional<std::int64_t> StreamReader::call_at(std::int64_t index, std::string_view id) {
  for (std::size_t i = calls_.size(); i > 0; --i) {
    Call& call = calls_[i - 1];
    if (call.index != index) continue;
    if (!id.empty() && !call.id.empty() && id != call.id) break;
    if (call.id.empty()) call.id = id;
    return static_cast<std::int64_t>(i - 1);
  }
  if (static_cast<std::int64_t>(calls_.size()) >= kMaxToolCalls) return std::nullopt;
  calls_.push_back({.index = index, .id = std::string(id)});
  return static_cast<std::int64_t>(calls_.size() - 1);
}

Result<> StreamReader::read_tool_calls(const json::array& calls, std::string_view data,
                                       std::vector<chat::ChatEvent>& events) {
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const json::object* call = calls[i].if_object();
    std::optional<std::int64_t> index = call == nullptr ? std::nullopt : index_of(*call, i);
    if (index && *index < kMaxToolCalls) {
      index = call_at(*index, text_in(*call, "id"));
    } else {
      index.reset();
    }
    if (!index) return fail(ErrorCode::kUpstream, "a tool call with an impossible index");
    chat::ToolCallDelta piece;
    piece.index = *index;
    piece.id = text_in(*call, "id");
    if (const json::object* function = object_in(*call, "function")) {
      piece.name = text_in(*function, "name");
      piece.arguments = arguments_in(*function, "arguments");
    } else if (const json::object* custom = object_in(*call, "custom")) {
      piece.name = text_in(*custom, "name");
      piece.arguments = text_in(*custom, "input");
    }
    // Nothing could answer a call that has no id.
    if (piece.id.empty() && !piece.name.empty() && calls_[*index].id.empty()) {
      piece.id = made_call_id(data, calls_.size());
      calls_[*index].id = piece.id;
    }
    events.emplace_back(std::move(piece));
  }
  return {};
}

/// One answer was asked for: what belongs to another, or comes after its end, is read over.
Result<> StreamReader::read_choice(const json::object& choice, std::string_view data,
                                   std::vector<chat::ChatEvent>& events) {
  if (finished_ || !is_first(choice)) return {};
  if (const json::object* delta = object_in(choice, "delta")) {
    read_words(*delta, logprobs_in(choice), events);
    if (const json::array* calls = array_in(*delta, "tool_calls")) {
      if (Result<> read = read_tool_calls(*calls, data, events); !read) return read;
    }
  }
  if (const std::string_view finish = text_in(choice, "finish_reason"); !finish.empty()) {
    finished_ = true;
    events.emplace_back(chat::Finish{finish_reason(finish, !calls_.empty())});
  }
  return {};
}

}  // namespace minimill::protocol::openai
